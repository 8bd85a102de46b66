/**
 * Platform-level interrupt controller: 96 sources, priorities 0..7, contexts M and S of hart 0. A level-triggered
 * source becomes pending when its line rises, and again at completion if the line is still high.
 * Source: RISC-V Platform-Level Interrupt Controller Specification 1.0, as on QEMU's virt board (sifive_plic.c).
 */
import {
  PLIC_CLAIMED,
  PLIC_CONTEXTS,
  PLIC_ENABLE,
  PLIC_ENABLE_STRIDE,
  PLIC_LEVEL,
  PLIC_OUTPUT,
  PLIC_PENDING,
  PLIC_PRIORITY,
  PLIC_SOURCES,
  PLIC_THRESHOLD,
} from './layout';

export const PLIC_BASE: u64 = 0x0c000000;
export const PLIC_SIZE: u64 = 0x600000;

const OFFSET_PENDING: u32 = 0x1000;
const OFFSET_ENABLE: u32 = 0x2000;
const OFFSET_CONTEXT: u32 = 0x200000;
const WORDS: u32 = PLIC_SOURCES / 32;

function isSet(bitmap: u32, source: u32): bool {
  return ((load<u32>(bitmap + ((source >> 5) << 2)) >> (source & 31)) & 1) !== 0;
}

function setBit(bitmap: u32, source: u32, value: bool): void {
  const at = bitmap + ((source >> 5) << 2);
  const bit = (1 as u32) << (source & 31);
  store<u32>(at, value ? load<u32>(at) | bit : load<u32>(at) & ~bit);
}

/** The level of a device's line. */
export function setLine(source: u32, asserted: bool): void {
  if (source === 0 || source >= PLIC_SOURCES) return;
  setBit(PLIC_LEVEL, source, asserted);
  if (!isSet(PLIC_CLAIMED, source)) setBit(PLIC_PENDING, source, asserted);
  refreshPlic();
}

/** Highest priority above the threshold among pending, enabled, unclaimed sources; the lowest number wins a tie. */
function best(context: u32): u32 {
  let highest = load<u32>(PLIC_THRESHOLD + (context << 2));
  let found: u32 = 0;
  for (let word: u32 = 0; word < WORDS; word++) {
    let candidates =
      load<u32>(PLIC_PENDING + (word << 2)) &
      ~load<u32>(PLIC_CLAIMED + (word << 2)) &
      load<u32>(PLIC_ENABLE + context * PLIC_ENABLE_STRIDE + (word << 2));
    while (candidates !== 0) {
      const source = (word << 5) + ctz<u32>(candidates);
      candidates &= candidates - 1;
      const priority = load<u32>(PLIC_PRIORITY + (source << 2));
      if (priority > highest) {
        highest = priority;
        found = source;
      }
    }
  }
  return found;
}

export function refreshPlic(): void {
  store<u64>(PLIC_OUTPUT, (best(0) !== 0 ? 0x800 : 0) | (best(1) !== 0 ? 0x200 : 0));
}

/** Registers are 32 bits wide; what is not there reads as 0. */
export function plicRead(offset: u32): u32 {
  if (offset < PLIC_SOURCES << 2) return load<u32>(PLIC_PRIORITY + offset);
  if (offset >= OFFSET_PENDING && offset < OFFSET_PENDING + (WORDS << 2)) {
    return load<u32>(PLIC_PENDING + (offset - OFFSET_PENDING));
  }
  if (offset >= OFFSET_ENABLE && offset < OFFSET_ENABLE + PLIC_CONTEXTS * 0x80) {
    const word = offset & 0x7f;
    if (word >= WORDS << 2) return 0;
    return load<u32>(PLIC_ENABLE + ((offset - OFFSET_ENABLE) >> 7) * PLIC_ENABLE_STRIDE + word);
  }
  if (offset >= OFFSET_CONTEXT && offset < OFFSET_CONTEXT + PLIC_CONTEXTS * 0x1000) {
    const context = (offset - OFFSET_CONTEXT) >> 12;
    if ((offset & 0xfff) === 0) return load<u32>(PLIC_THRESHOLD + (context << 2));
    if ((offset & 0xfff) === 4) return claim(context);
  }
  return 0;
}

function claim(context: u32): u32 {
  const source = best(context);
  if (source !== 0) {
    setBit(PLIC_PENDING, source, false);
    setBit(PLIC_CLAIMED, source, true);
    refreshPlic();
  }
  return source;
}

export function plicWrite(offset: u32, value: u32): void {
  if (offset < PLIC_SOURCES << 2) {
    if (offset !== 0) store<u32>(PLIC_PRIORITY + offset, value & 7);
  } else if (offset >= OFFSET_ENABLE && offset < OFFSET_ENABLE + PLIC_CONTEXTS * 0x80) {
    const word = offset & 0x7f;
    if (word >= WORDS << 2) return;
    const at = PLIC_ENABLE + ((offset - OFFSET_ENABLE) >> 7) * PLIC_ENABLE_STRIDE + word;
    store<u32>(at, word === 0 ? value & ~1 : value);
  } else if (offset >= OFFSET_CONTEXT && offset < OFFSET_CONTEXT + PLIC_CONTEXTS * 0x1000) {
    const context = (offset - OFFSET_CONTEXT) >> 12;
    if ((offset & 0xfff) === 0) store<u32>(PLIC_THRESHOLD + (context << 2), value & 7);
    else if ((offset & 0xfff) === 4) complete(value);
  } else return;
  refreshPlic();
}

function complete(source: u32): void {
  if (source === 0 || source >= PLIC_SOURCES) return;
  setBit(PLIC_CLAIMED, source, false);
  if (isSet(PLIC_LEVEL, source)) setBit(PLIC_PENDING, source, true);
}
