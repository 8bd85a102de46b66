/**
 * Test tool: a guest that does what the machine's laws must survive. In S mode under Sv39 it runs random
 * instructions for ever: loads and stores to a window of pages, to the page tables behind that window (clearing A
 * and D, exchanging frames, with and without a fence), to its own code through an alias, LR/SC, AMOs, jumps between
 * pages. An M-mode handler skips what faults and sets the timer anew when it fires.
 */
import { type CoreModules, createMachineMemory } from '../core-module.ts';
import { createDevices } from '../devices/create-devices.ts';
import { Machine } from '../machine.ts';
import * as encode from './encode.ts';

const ramBase = 0x8000_0000;
const handlerOffset = 0x100;
const codeOffset = 0x4000;
const codePages = 2;
const rootTable = 0x1_0000;
const middleTable = 0x1_1000;
export const leafTable = 0x1_2000;
const framesOffset = 0x2_0000;
const windowPages = 16;
const guestMemoryMib = 64;
/** Virtual addresses: the window, and behind it an alias of the code and one of the leaf table. */
const windowUpper = 0x40000;
const ticksToTimer = 40;

/** Registers with a fixed meaning: bases of window, leaf table alias, code alias, and an instruction to write. */
const windowBase = 8;
const tableBase = 9;
const codeBase = 18;
const patch = 19;
/** Holds the page table entry that is being changed. */
const leaf = 25;
/** The bits in which `patch` changes, and its upper half, for writing half an instruction. */
const patchBits = 26;
const patchHalf = 27;

export function seededRandom(seed: number): (below: number) => number {
  let state = seed >>> 0 || 1;
  return (below) => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) % below;
  };
}

/**
 * A machine at the guest's first instruction. Guest time stands still until an input moves it.
 * @param awaitPage brings pages that are missing
 */
export function createRestlessGuest(
  core: CoreModules,
  seed: number,
  awaitPage?: (page: number) => void,
): Machine {
  const machine = new Machine({
    core,
    memory: createMachineMemory(core, guestMemoryMib),
    memoryMib: guestMemoryMib,
    devices: createDevices({ nics: [] }),
    emit: () => {},
    ...(awaitPage === undefined ? {} : { awaitPage }),
  });
  write(machine, 0, setUp(seed));
  write(machine, handlerOffset, handler());
  write(machine, codeOffset, randomCode(seededRandom(seed)));
  writePageTables(machine);
  machine.startFirmware();
  machine.apply({ type: 'time', guestTicks: 0n, ratePerStep: 2 ** 28 });
  return machine;
}

function write(machine: Machine, offset: number, words: readonly number[]): void {
  machine.guestMemory.write(ramBase + offset, new Uint8Array(Uint32Array.from(words).buffer));
}

/** M mode: handler, satp, timer, then mret into S mode at the code. */
function setUp(seed: number): number[] {
  const { addi, lui, slli, csr, register, store } = encode;
  const rootPage = (ramBase + rootTable) / 4096;
  return [
    ...(seed % 2 === 0 ? encode.permitAll() : protectWord()),
    ...address(5, ramBase + handlerOffset),
    csr(1, 0, 0x305, 5),
    addi(5, 0, 8),
    slli(5, 5, 60),
    lui(6, rootPage >>> 12),
    addi(6, 6, rootPage & 0xfff),
    register(0, 0, 5, 5, 6),
    csr(1, 0, 0x180, 5),
    ...address(5, ramBase + codeOffset),
    csr(1, 0, 0x341, 5),
    // mstatus: MPP = S, MPIE; mie: MTIE.
    lui(5, 1),
    addi(5, 5, -0x780),
    csr(1, 0, 0x300, 5),
    addi(5, 0, 0x80),
    csr(1, 0, 0x304, 5),
    lui(6, 0x2004),
    store(3, 5, 6, 0),
    addi(5, 0, 7),
    csr(1, 0, 0x306, 5),
    lui(windowBase, windowUpper),
    ...[21, 22, 23, 24].map((base) => lui(base, windowUpper + base - 20)),
    lui(tableBase, windowUpper + windowPages),
    lui(codeBase, windowUpper + windowPages + 1),
    ...instructionWord(patch, addi(20, 20, 1)),
    lui(patchBits, 0x300),
    encode.srli(patchHalf, patch, 16),
    encode.mret,
  ];
}

/** One word of the code cannot be executed, so that its page is executed an instruction at a time. */
function protectWord(): number[] {
  const { addi, csr, srli } = encode;
  return [
    ...address(5, ramBase + codeOffset + 8),
    srli(5, 5, 2),
    csr(1, 0, 0x3b0, 5),
    // NA4, readable and writable.
    addi(5, 0, 0x13),
    csr(1, 0, 0x3a0, 5),
    ...encode.permitAll(1),
  ];
}

/** An unsigned 32-bit value, which lui alone would sign-extend from bit 31 on: lui, then the sign shifted out. */
function address(rd: number, value: number): number[] {
  return [
    encode.lui(rd, value >>> 12),
    encode.addi(rd, rd, value & 0x7ff),
    encode.slli(rd, rd, 32),
    encode.srli(rd, rd, 32),
  ];
}

function instructionWord(rd: number, word: number): number[] {
  const low = (word << 20) >> 20;
  return [encode.lui(rd, ((word - low) >>> 12) & 0xfffff), encode.addi(rd, rd, low)];
}

/** Skips the instruction that trapped; at a timer interrupt sets mtimecmp to a little later. Uses x28 to x31. */
function handler(): number[] {
  const { csr, branch, addi, lui, load, store } = encode;
  return [
    csr(2, 31, 0x342, 0),
    branch(4, 31, 0, 20),
    csr(2, 31, 0x341, 0),
    addi(31, 31, 4),
    csr(1, 0, 0x341, 31),
    encode.mret,
    lui(30, 0x200c),
    load(3, 31, 30, -8),
    addi(31, 31, ticksToTimer),
    lui(30, 0x2004),
    store(3, 31, 30, 0),
    encode.mret,
  ];
}

function randomCode(random: (below: number) => number): number[] {
  const count = codePages * 1024;
  const code = Array.from({ length: count }, (_, index) => randomInstruction(random, index, count));
  code[count - 1] = encode.jal(0, -(count - 1) * 4);
  return code;
}

function randomInstruction(random: (below: number) => number, index: number, count: number): number {
  const rd = 10 + random(8);
  const rs1 = 10 + random(8);
  const rs2 = 10 + random(8);
  const place = random(windowPages);
  switch (random(22)) {
    case 0:
    case 1:
      return encode.load(random(7), rd, 21 + random(4), random(4096) - 2048);
    case 2:
    case 3:
      return encode.store(random(4), rs2, 21 + random(4), random(4096) - 2048);
    case 4:
      // The base of a window page into x21..x24.
      return encode.lui(21 + random(4), windowUpper + place);
    case 5:
      return encode.load(3, leaf, tableBase, place * 8);
    case 6:
      return encode.andi(leaf, leaf, -0xc1);
    case 7:
      return encode.xori(leaf, leaf, 0x400);
    case 8:
      // A leaf that was read before, perhaps at another place, perhaps changed since.
      return encode.store(3, leaf, tableBase, place * 8);
    case 9:
      return random(12) === 0 ? encode.sfenceAll : encode.addi(rd, rs1, random(64));
    case 10:
      return random(2) === 0
        ? encode.store(2, patch, codeBase, random(500) * 4)
        : encode.store(1, patchHalf, codeBase, random(500) * 4 + 2);
    case 11:
      return encode.atomic(2, 3, rd, windowBase, 0);
    case 12:
      return encode.atomic(3, 3, rd, windowBase, rs2);
    case 13:
      return encode.atomic(random(2), 3, rd, windowBase, rs2);
    case 14:
      return encode.branch(random(2), rs1, rs2, 4 * (1 + random(Math.min(12, count - index))));
    case 15:
      return encode.jal(
        1,
        4 * (1 + random(Math.min(random(30) === 0 ? 900 : 12, Math.max(1, count - index - 1)))),
      );
    case 16:
      return encode.csr(2, rd, 0xc00 + random(3), 0);
    case 17:
      return encode.register(random(8), 1, rd, rs1, rs2);
    case 18:
      return encode.register(4, 0, patch, patch, patchBits);
    case 19:
      return encode.srli(patchHalf, patch, 16);
    default:
      return encode.register(random(8), 0, rd, rs1, rs2);
  }
}

function writePageTables(machine: Machine): void {
  const table = (offset: number, entries: readonly (readonly [number, number, number])[]): void => {
    for (const [index, target, bits] of entries) {
      machine.guestMemory.write32(ramBase + offset + index * 8, (((ramBase + target) >>> 12) << 10) | bits);
    }
  };
  // Root: the gigapage of RAM for the code (identity), and the table of the window at 0x4000_0000.
  table(rootTable, [
    [1, middleTable, 0x01],
    [2, 0, 0xcf],
  ]);
  table(middleTable, [[0, leafTable, 0x01]]);
  table(leafTable, [
    ...Array.from({ length: windowPages }, (_, page) => [page, framesOffset + page * 4096, 0x07] as const),
    [windowPages, leafTable, 0x07],
    [windowPages + 1, codeOffset, 0x07],
  ]);
}
