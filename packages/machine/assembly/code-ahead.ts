/**
 * Decoding ahead: a guest that goes on in another machine has its code decoded there while it waits, instead of one entry after
 * another as it comes by. The machine that it ran in says which entries are decoded in the pages that were looked up lately.
 * What is decoded is derived from the bytes of its page alone, so that neither has to trust the other.
 */
import { codeBase, dropCode, isCodePage, slotBase } from './code-cache';
import { decodeAt } from './execute/base';
import {
  CODE_LOOKUPS,
  CODE_PAGE,
  CODE_SLOTS,
  PAGES_MISSING,
  RAM,
  RAM_PAGES,
  REWRITTEN,
  TOUCHED,
  USED_CODE,
  USED_CODE_BYTES,
} from './layout';
import { isPresent } from './missing-pages';
import { dropFastAll } from './tlb';

const BITS: u32 = 8;
const ENTRIES: u32 = 2048;

/** From now on it is counted which pages are looked up. Fast entries, by which they would not be, are forgotten. */
export function watchCode(): void {
  memory.fill(CODE_LOOKUPS, 0, CODE_SLOTS);
  dropFastAll();
}

/** Puts the pages looked up since `watchCode` to USED_CODE; returns how many they are. */
export function saveUsedCode(): u32 {
  let record = USED_CODE;
  for (let slot: u32 = 0; slot < CODE_SLOTS; slot++) {
    const page = load<u32>(CODE_PAGE + (slot << 2));
    const lookups = load<u8>(CODE_LOOKUPS + slot);
    if (page === 0 || lookups === 0) continue;
    store<u32>(record, page - 1);
    store<u32>(record, lookups as u32, 4);
    for (let word: u32 = 0; word < ENTRIES; word += 32)
      store<u32>(record + BITS + (word >> 3), decodedBits(slotBase(slot) + (word << 3)));
    record += USED_CODE_BYTES;
  }
  return (record - USED_CODE) / USED_CODE_BYTES;
}

/** Of 32 entries. */
function decodedBits(entry: u32): u32 {
  let bits: u32 = 0;
  for (let index: u32 = 0; index < 32; index++) if (load<u8>(entry + (index << 3)) !== 0) bits |= 1 << index;
  return bits;
}

/**
 * Decodes what the record at USED_CODE names, whoever wrote it; 0 if there is no such page, it has not arrived yet, or it has code
 * already. An instruction that crosses the page's end is left out. Others may write pages meanwhile, whose code is to be
 * forgotten before the machine runs: `dropRewritten`.
 */
export function decodeAhead(): u32 {
  const page = load<u32>(USED_CODE);
  if (page >= load<u32>(RAM_PAGES) || isCodePage(page) || !hasBit(TOUCHED, page) || isMissing(page)) return 0;
  // Before its bytes are read. Who writes them says so afterwards (page-kernel/live.ts, markRewritten).
  atomic.and<u32>(REWRITTEN + ((page >> 5) << 2), ~((1 as u32) << (page & 31)));
  const base = codeBase(page);
  const host = RAM + (page << 12);
  for (let word: u32 = 0; word < ENTRIES; word += 32) {
    let bits = load<u32>(USED_CODE + BITS + (word >> 3));
    while (bits !== 0) {
      const offset = (word + ctz<u32>(bits)) << 1;
      bits &= bits - 1;
      const entry = base + (offset << 2);
      if (load<u8>(entry) === 0) decodeAt(entry, host + offset, offset);
    }
  }
  return 1;
}

/**
 * Forgets what was decoded from pages that others have written since, or that have not arrived. In this order: one that arrives
 * meanwhile is noted as written before it counts as there.
 */
export function dropRewritten(): void {
  for (let slot: u32 = 0; slot < CODE_SLOTS; slot++) {
    const known = load<u32>(CODE_PAGE + (slot << 2));
    if (known !== 0 && (isMissing(known - 1) || hasBit(REWRITTEN, known - 1))) dropCode(known - 1);
  }
}

function isMissing(page: u32): bool {
  return atomic.load<u32>(PAGES_MISSING) !== 0 && !isPresent(page);
}

function hasBit(bitmap: u32, page: u32): bool {
  return ((atomic.load<u32>(bitmap + ((page >> 5) << 2)) >> (page & 31)) & 1) !== 0;
}
