/** A page batch in memory, as packages/shared/src/frame/page.ts says; the TypeScript there writes and checks its header. */
export const PAGE_BYTES: u32 = 4096;
export const HEADER_BYTES: u32 = 28;
/** The header ends with the sum of the hashes of its pages. */
export const HASH_SUM_BYTES: u32 = 8;
export const ENTRIES_MAX: u32 = 254;
/** Where page data stand in a batch's memory. */
export const DATA_OFFSET: u32 = 4096;
export const DATA_BYTES_MAX: u32 = 262144;
/** A change that is not much shorter than its page is no use. */
export const DELTA_BYTES_MAX: u32 = 2048;

export const ZERO: u16 = 0;
export const RAW: u16 = 1;
export const DELTA: u16 = 2;

/** Of entries that stand one behind the other. */
export function entryAt(entries: usize, index: u32): usize {
  return entries + ((index as usize) << 3);
}
