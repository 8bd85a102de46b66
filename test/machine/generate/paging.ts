/**
 * Sv39 for the programs that run behind it: the harness and the program's own code stay mapped, and a window of
 * virtual pages has random entries of all sorts - valid, reserved, read-only, without A or D, superpages, tables in
 * the wrong place. Source: Privileged Architecture, "Sv39: Page-Based 39-bit Virtual-Memory System".
 */
import {
  codeAddress,
  codeBytes,
  dataAddress,
  dataBytes,
  harnessAddress,
  ramBase,
  tableAddress,
  tableBytes,
} from '../memory-map.ts';
import type { Random } from '../random.ts';
import type { Fragment, Mode } from '../test-program.ts';
import { anyDestination, anySource } from './register-choice.ts';

const pageBytes = 4096;
/** Windows of 4 KiB. */
export const windowBase = 0x40_0000n;
export const windowCount = 16;
const goodWindows = 6;
/** Shows the program's own table of windows, for S mode to change; apart, so that no stray store gets there. */
const tableWindow = 20;
/** A superpage of 2 MiB right behind. */
const megaWindowBase = 0x60_0000n;
/** The windows once more, by pointers that may not be right. */
const pointerWindowBase = 0x80_0000n;
const gigaPointerBase = 0x1_0000_0000n;
/**
 * A superpage of 1 GiB that shows all RAM, as far as its entry allows. As a physical address nothing answers here, nor in
 * the other windows: QEMU's board has more devices than ours.
 */
const gigaWindowBase = 0x1_8000_0000n;
/** From an address in RAM to the same place in that superpage. */
export const ramToGigaWindow = gigaWindowBase - BigInt(ramBase);

const bit = { V: 1, R: 2, W: 4, X: 8, U: 16, G: 32, A: 64, D: 128 } as const;

/**
 * The code once more, for the mode that may not execute it where it is: pages are a user's or they are not. This bit
 * tells the two addresses apart.
 */
export const otherModeBit = 1n << 29n;
const otherModeMegapages = Number(otherModeBit >> 21n);

export interface PagedSpace {
  readonly tables: Uint8Array;
  readonly satp: bigint;
}

/** @param slot where the program runs: entries hold physical addresses */
export function buildPagedSpace(random: Random, mode: Mode, slot: number): PagedSpace {
  const tables = new Uint8Array(tableBytes);
  const view = new DataView(tables.buffer);
  const base = tableAddress(slot);
  const [root, code, mega, windows] = [0, pageBytes, 2 * pageBytes, 3 * pageBytes];
  const put = (table: number, index: number, entry: bigint): void =>
    view.setBigUint64(table + index * 8, BigInt.asUintN(64, entry), true);
  put(root, 0, entryOf(base + mega, bit.V));
  put(
    root,
    Number(gigaWindowBase >> 30n),
    entryOf(ramBase, randomFlags(random)) | (random.oneIn(8) ? 1n << 10n : 0n),
  );
  put(root, 2, entryOf(base + code, bit.V));
  // Anything at all, for addresses that a program makes up.
  put(root, 3, random.bits64() & ~0xfn);
  const harnessFlags = bit.V | bit.R | bit.W | bit.X | bit.A | bit.D;
  const ownFlags = bit.V | bit.R | bit.W | bit.X | bit.A | bit.D | (mode === 'U' ? bit.U : 0);
  const otherFlags = ownFlags ^ bit.U;
  const megaIndex = (address: number): number => (address >>> 21) & 511;
  put(code, megaIndex(harnessAddress), entryOf(harnessAddress, harnessFlags));
  for (const address of [codeAddress(slot), codeAddress(slot) + codeBytes - 1]) {
    const megapage = address - (address % 0x20_0000);
    put(code, megaIndex(address), entryOf(megapage, ownFlags));
    put(code, megaIndex(address) + otherModeMegapages, entryOf(megapage, otherFlags));
  }
  put(mega, Number(windowBase >> 21n), entryOf(base + windows, bit.V));
  // Pointers to further tables must not have A, D or U.
  put(
    mega,
    Number(pointerWindowBase >> 21n),
    entryOf(base + windows, bit.V | random.pick([0, bit.A, bit.D, bit.U])),
  );
  put(root, 4, entryOf(base + mega, bit.V | random.pick([bit.G, bit.A, bit.D, bit.U])));
  const dataMega = dataAddress(slot) - (dataAddress(slot) % 0x20_0000);
  put(mega, Number(megaWindowBase >> 21n), randomMegaEntry(random, dataMega));
  for (let window = 0; window < windowCount; window++) {
    put(windows, window, randomWindowEntry(random, mode, slot, window));
  }
  const tableFlags = bit.V | bit.R | bit.W | bit.A | bit.D;
  put(windows, tableWindow, entryOf(base + windows, tableFlags));
  return { tables, satp: (8n << 60n) | (random.oneIn(2) ? 0n : 5n << 44n) | BigInt(base / pageBytes) };
}

function entryOf(address: number, flags: number): bigint {
  return (BigInt(Math.floor(address / pageBytes)) << 10n) | BigInt(flags);
}

function randomFlags(random: Random): number {
  // To be executed only, and read where MXR says so.
  if (random.oneIn(8)) return bit.V | bit.X | bit.A | random.pick([0, bit.U, bit.D, bit.U | bit.D]);
  return random.oneIn(4) ? random.between(0, 255) : random.between(0, 255) | bit.V | bit.R | bit.A;
}

/** 2 MiB; misaligned now and then, which is a fault. */
function randomMegaEntry(random: Random, address: number): bigint {
  const misaligned = random.oneIn(4) ? random.between(1, 511) * pageBytes : 0;
  return entryOf(address + misaligned, randomFlags(random));
}

function randomWindowEntry(random: Random, mode: Mode, slot: number, window: number): bigint {
  const page = dataAddress(slot) + random.between(0, dataBytes / pageBytes - 1) * pageBytes;
  const userBit = mode === 'U' ? bit.U : 0;
  if (window < goodWindows) {
    const aged = random.oneIn(3) ? random.pick([0, bit.A, bit.D]) : bit.A | bit.D;
    return entryOf(page, bit.V | bit.R | bit.W | userBit | aged);
  }
  const flags = randomFlags(random);
  switch (random.between(0, 9)) {
    // Reserved bits above the page number.
    case 0:
      return entryOf(page, flags) | (1n << BigInt(random.between(54, 63)));
    // A page beyond RAM: the translation succeeds, the access does not.
    case 1:
      return entryOf(0x8_8000_0000, flags);
    // A pointer to a further table, which the last level can't hold.
    case 2:
      return entryOf(tableAddress(slot), bit.V);
    default:
      return entryOf(page, flags);
  }
}

/**
 * Goes on in another mode, where its code is its own; in a mode that may not do this, illegal instructions.
 * @param mode whose code stands at its physical addresses
 */
export function changePagedMode(random: Random, mode: Mode): Fragment {
  const isFromMachine = random.oneIn(2);
  const next = random.pick(isFromMachine ? (['M', 'S', 'U', 'S', 'U'] as const) : (['S', 'U'] as const));
  const isOther = next !== 'M' && next !== mode;
  return (a) => {
    const after = a.fresh('mode');
    a.la('t6', after);
    a.li('t5', otherModeBit);
    a.or('t6', 't6', 't5');
    if (!isOther) a.xor('t6', 't6', 't5');
    a.csrrw('zero', isFromMachine ? 'mepc' : 'sepc', 't6');
    a.li('t5', isFromMachine ? 0x1800 : 0x100);
    a.csrrc('zero', isFromMachine ? 'mstatus' : 'sstatus', 't5');
    a.li('t5', isFromMachine ? { M: 0x1800, S: 0x800, U: 0 }[next] : { M: 0, S: 0x100, U: 0 }[next]);
    a.csrrs('zero', isFromMachine ? 'mstatus' : 'sstatus', 't5');
    if (isFromMachine) a.mret();
    else a.sret();
    a.label(after);
  };
}

/** An address in the window, most of them in pages that can be used. */
export function windowAddress(random: Random, slot: number, isGood: boolean): bigint {
  const window = random.between(0, isGood ? goodWindows - 1 : windowCount - 1);
  // Superpages show the data of all programs: stay within the own one.
  const data = dataAddress(slot) + random.between(2048, dataBytes - 2048 - 16);
  if (!isGood && random.oneIn(3)) {
    const elsewhere = [
      megaWindowBase + BigInt(data % 0x20_0000),
      gigaWindowBase + BigInt(data - ramBase),
      pointerWindowBase + BigInt(window * pageBytes + 256),
      gigaPointerBase + windowBase + BigInt(window * pageBytes + 256),
      0x1_0000_0000n - BigInt(random.between(1, 64)),
      BigInt.asUintN(64, -BigInt(random.between(1, 4096))),
      0xc000_0000n + (random.bits64() & 0x3fff_ffffn),
      // Bits 63 to 39 must equal bit 38.
      windowBase | (1n << BigInt(random.between(38, 63))),
      random.bits64(),
    ];
    return random.pick(elsewhere);
  }
  return windowBase + BigInt(window * pageBytes + random.between(0, 511) * 8);
}

/**
 * An atomic in a page that may be written, or in none. In a page that may only be read QEMU 7.2 sets A before it
 * fails, and where both the page and what lies behind it refuse it reports the latter.
 */
export function pagedAtomic(random: Random, slot: number): Fragment {
  const isMapped = !random.oneIn(4);
  const holeBase = windowBase + BigInt(windowCount * pageBytes);
  const address = isMapped
    ? windowAddress(random, slot, true)
    : holeBase + BigInt(random.between(0, 1000) * 8);
  const width = random.pick(['w', 'd'] as const);
  const operation = random.pick(['amoswap', 'amoadd', 'amoand', 'amomax', 'amominu'] as const);
  const rd = anyDestination(random);
  const source = anySource(random);
  return (a) => {
    a.li('t6', address);
    a.emit(`${operation}.${width}`, [rd, source, 't6']);
  };
}

/** Puts another entry into the table of windows and fences, by S mode through the window that shows it. */
export function changeEntry(random: Random, mode: Mode, slot: number): Fragment {
  const window = random.between(0, windowCount - 1);
  const entry = randomWindowEntry(random, mode, slot, random.oneIn(2) ? 0 : window);
  const address = windowBase + BigInt(window * pageBytes);
  const isAddressOnly = random.oneIn(2);
  const rd = anyDestination(random);
  const at = random.between(0, 255) * 8;
  const isStore = random.oneIn(2);
  const source = anySource(random);
  return (a) => {
    a.li('t6', windowBase + BigInt(tableWindow * pageBytes + window * 8));
    a.li('t5', entry);
    a.sd('t5', 0, 't6');
    a.li('t6', address);
    if (isAddressOnly) a.sfenceVma('t6', 'zero');
    else a.sfenceVma('zero', 'zero');
    if (isStore) a.sd(source, at, 't6');
    else a.ld(rd, at, 't6');
  };
}

/** Another address space number, or none of satp's translation for one access: what the table says counts at once. */
export function changeAddressSpace(random: Random, slot: number): Fragment {
  const physical = dataAddress(slot) + random.between(0, dataBytes / 8 - 1) * 8;
  const flipped = BigInt(random.between(0, 0xffff)) << 44n;
  const virtual = windowAddress(random, slot, true);
  const isStore = random.oneIn(2);
  const source = anySource(random);
  const isOff = random.oneIn(2);
  return (a) => {
    if (isOff) a.csrrw('t5', 'satp', 'zero');
    else {
      a.csrrs('t5', 'satp', 'zero');
      a.li('t6', flipped);
      a.xor('t6', 't6', 't5');
      a.csrrw('t4', 'satp', 't6');
    }
    a.li('t6', isOff ? physical : virtual);
    if (isStore) a.sd(source, 0, 't6');
    else a.ld('a0', 0, 't6');
    a.csrrw('t5', 'satp', 't5');
  };
}

/** Clears A and D of an entry, fences, touches the page: the bits come back as hardware sets them. */
export function clearAged(random: Random): Fragment {
  const window = random.between(0, goodWindows - 1);
  const cleared = random.pick([bit.A, bit.D, bit.A | bit.D]);
  const isStore = random.oneIn(2);
  const rd = anyDestination(random);
  return (a) => {
    a.li('t6', windowBase + BigInt(tableWindow * pageBytes + window * 8));
    a.ld('t5', 0, 't6');
    a.andi('t5', 't5', ~cleared);
    a.sd('t5', 0, 't6');
    a.sfenceVma('zero', 'zero');
    a.li('t4', windowBase + BigInt(window * pageBytes));
    if (isStore) a.sb('t5', 8, 't4');
    else a.lbu(rd, 8, 't4');
    a.ld(rd, 0, 't6');
  };
}

/**
 * Jumps through some window, or to where none is. Where the fetch succeeds it finds zeroes, which no instruction is;
 * the program ends there.
 */
export function jumpToWindow(random: Random, slot: number): Fragment {
  const page = random.between(0, windowCount - 1) * pageBytes;
  const ownPage = dataAddress(slot) + random.between(0, dataBytes / pageBytes - 1) * pageBytes;
  const views = [
    windowBase + BigInt(page),
    windowBase + BigInt(page),
    windowBase + BigInt(page),
    pointerWindowBase + BigInt(page),
    gigaPointerBase + windowBase + BigInt(page),
    megaWindowBase + BigInt(ownPage % 0x20_0000),
    gigaWindowBase + BigInt(ownPage - ramBase),
    (windowBase + BigInt(page)) | (1n << BigInt(random.between(38, 63))),
    0xc000_0000n + BigInt(page),
  ];
  const address = random.pick(views) + BigInt(zeroesInPage.from + random.between(0, 15) * 2);
  return (a) => {
    a.li('t6', address);
    // QEMU 7.2 lets S mode execute a page of U mode that SUM let it read before, until the next fence.
    a.sfenceVma('zero', 'zero');
    a.jalr('zero', 0, 't6');
  };
}

/** In each page of data, for jumps to end at. */
export const zeroesInPage = { from: 0xf00, to: 0xf40 } as const;
