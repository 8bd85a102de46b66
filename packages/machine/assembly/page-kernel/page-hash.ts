/**
 * What is computed over single 4 KiB pages: the zero test and a 64-bit hash keyed by the page's number. The hash of
 * a zero page is 0, so that a page never written and a page of zeros count alike. It finds errors, not forgers.
 */
const PAGE_BYTES: usize = 4096;
const MIX_A: u64 = 0x9e3779b97f4a7c15;
const MIX_B: u64 = 0xbf58476d1ce4e5b9;
const MIX_C: u64 = 0x94d049bb133111eb;

/** 1 if the 4 KiB at `pointer` (16-byte aligned) are all zero. */
export function pageIsZero(pointer: usize): u32 {
  const end = pointer + PAGE_BYTES;
  for (let at = pointer; at < end; at += 64) {
    const any = v128.or(
      v128.or(v128.load(at), v128.load(at, 16)),
      v128.or(v128.load(at, 32), v128.load(at, 48)),
    );
    if (v128.any_true(any)) return 0;
  }
  return 1;
}

/** 64-bit hash of the 4 KiB at `pointer`; four independent lanes, so that multiplications overlap. */
export function pageHash(pointer: usize, pageNumber: u32): u64 {
  if (pageIsZero(pointer) !== 0) return 0;
  const key = ((pageNumber as u64) + 1) * MIX_A;
  let a = key;
  let b = key ^ MIX_B;
  let c = key ^ MIX_C;
  let d = ~key;
  const end = pointer + PAGE_BYTES;
  for (let at = pointer; at < end; at += 32) {
    a = rotl<u64>((a ^ load<u64>(at)) * MIX_B, 29);
    b = rotl<u64>((b ^ load<u64>(at, 8)) * MIX_C, 31);
    c = rotl<u64>((c ^ load<u64>(at, 16)) * MIX_B, 33);
    d = rotl<u64>((d ^ load<u64>(at, 24)) * MIX_C, 27);
  }
  return finish(a ^ finish(b + finish(c ^ finish(d))));
}

function finish(value: u64): u64 {
  value = (value ^ (value >> 30)) * MIX_B;
  value = (value ^ (value >> 27)) * MIX_C;
  return value ^ (value >> 31);
}
