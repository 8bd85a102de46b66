/** Makes a whole random program from a seed: what kind it is, its state before the start, its fragments. */
import { dataAddress, dataBytes, tableBytes } from '../memory-map.ts';
import { Random } from '../random.ts';
import type { Fragment, InitialCsrs, Mode, TestProgram } from '../test-program.ts';
import {
  borrowedValues,
  choosePreviousMode,
  csrAccess,
  legalValues,
  statusAccess,
  supervisorTimer,
} from './csr.ts';
import { anyShort, anyWord } from './decoding.ts';
import {
  floatBits,
  floatControl,
  floatOperation,
  freshOperation,
  loadFloat,
  reservedRounding,
} from './float.ts';
import { arithmetic, boundedLoop, forwardJump, loadConstant } from './integer.ts';
import { atomic, loadOrStore, misalignedReservation, reservation } from './memory.ts';
import {
  buildPagedSpace,
  changeAddressSpace,
  changeEntry,
  changePagedMode,
  clearAged,
  jumpToWindow,
  pagedAtomic,
  windowAddress,
  zeroesInPage,
} from './paging.ts';
import { selfModifying } from './self-modifying.ts';
import {
  changeMode,
  environmentCall,
  illegal,
  jumpNowhere,
  pendingWait,
  type SupervisorInterrupt,
  softwareInterrupt,
  supervisorWait,
} from './system.ts';

export const kinds = [
  'integer',
  'decoding',
  'memory',
  'memory',
  'float',
  'float',
  'trap',
  'legal-values',
  'mode-change',
  'interrupt',
  'paging',
  'paging',
  'status-paging',
  'borrowed-mode-paging',
  'mode-change-paging',
  'self-modifying',
  'self-modifying-paging',
] as const;
export type Kind = (typeof kinds)[number];

interface Context {
  readonly random: Random;
  readonly kind: Kind;
  readonly mode: Mode;
  readonly slot: number;
  readonly interrupt: SupervisorInterrupt;
}

type FragmentMaker = (context: Context) => Fragment;

const plain = (make: (random: Random) => Fragment): FragmentMaker => {
  return ({ random }) => make(random);
};
const withInterrupt = (make: (random: Random, interrupt: SupervisorInterrupt) => Fragment): FragmentMaker => {
  return ({ random, interrupt }) => make(random, interrupt);
};
const anyArithmetic = plain(arithmetic);
const anyAccess = plain(loadOrStore);

/** Each kind picks among these with equal chances. */
const makers: Readonly<Record<Kind, readonly FragmentMaker[]>> = {
  integer: [anyArithmetic, anyArithmetic, anyArithmetic, plain(loadConstant), plain(forwardJump), loop, loop],
  decoding: [plain(anyWord), plain(anyWord), plain(anyShort), anyArithmetic, plain(loadConstant)],
  memory: [
    plain(misalignedReservation),
    anyAccess,
    anyAccess,
    anyAccess,
    anyArithmetic,
    plain(atomic),
    plain(reservation),
    loop,
  ],
  float: [
    ...[plain(freshOperation), plain(freshOperation), plain(freshOperation), plain(freshOperation)],
    ...[
      plain(floatOperation),
      plain(loadFloat),
      plain(floatControl),
      anyAccess,
      loop,
      plain(reservedRounding),
    ],
  ],
  trap: [
    rareJump,
    anyArithmetic,
    anyAccess,
    withInterrupt(csrAccess),
    plain(illegal),
    plain(environmentCall),
    plain(statusAccess),
    supervisorWait,
  ],
  'legal-values': [
    withInterrupt(legalValues),
    withInterrupt(csrAccess),
    plain(statusAccess),
    plain(borrowedValues),
    plain(borrowedValues),
    plain(supervisorTimer),
    pendingWait,
  ],
  'mode-change': [
    anyArithmetic,
    plain(changeMode),
    withInterrupt(csrAccess),
    plain(illegal),
    plain(environmentCall),
    anyAccess,
    supervisorWait,
  ],
  interrupt: [
    anyArithmetic,
    withInterrupt(softwareInterrupt),
    withInterrupt(csrAccess),
    plain(forwardJump),
    plain(environmentCall),
    supervisorWait,
  ],
  paging: [
    anyAccess,
    anyAccess,
    riskyAccess,
    riskyAccess,
    tableAtomic,
    tableChange,
    plain(clearAged),
    spaceChange,
  ],
  'status-paging': [
    anyAccess,
    riskyAccess,
    plain(statusAccess),
    plain(illegal),
    plain(environmentCall),
    tableChange,
    spaceChange,
  ],
  // M mode that loads and stores as S or U mode would, by MPRV.
  'borrowed-mode-paging': [
    anyAccess,
    riskyAccess,
    plain(choosePreviousMode),
    plain(statusAccess),
    tableAtomic,
    tableChange,
  ],
  'mode-change-paging': [
    pagedModeChange,
    anyAccess,
    riskyAccess,
    plain(statusAccess),
    tableChange,
    plain(environmentCall),
    plain(forwardJump),
    loop,
  ],
  'self-modifying': [patch, patch, anyArithmetic, anyAccess, plain(forwardJump), loop],
  'self-modifying-paging': [patch, patch, anyArithmetic, anyAccess, tableChange, loop],
};

/** @param slot where the batch puts it; addresses in the program depend on it, nothing else does */
export function generateProgram(seed: bigint, slot: number): TestProgram {
  const random = new Random(seed);
  const kind = random.pick(kinds);
  const mode = pickMode(random, kind);
  const interrupt = random.pick([0x2, 0x20, 0x200] as const);
  const context: Context = { random, kind, mode, slot, interrupt };
  const isPaged = kind.endsWith('paging');
  const fragmentCount = kind === 'float' ? random.between(20, 48) : random.between(6, 24);
  const fragments = Array.from({ length: fragmentCount }, () => random.pick(makers[kind])(context));
  // A jump into a window mostly ends the program.
  if (isPaged && mode !== 'M' && random.oneIn(2)) fragments.push(jumpToWindow(random, slot));
  const { tables, satp } = isPaged
    ? buildPagedSpace(random, ownMode(mode), slot)
    : { tables: new Uint8Array(tableBytes), satp: 0n };
  return {
    kind,
    seed,
    mode,
    codeOffset: random.oneIn(4) ? 4096 - random.between(1, 40) * 2 : random.between(0, 31) * 2,
    fragments,
    registers: initialRegisters(context, isPaged),
    floats: Array.from({ length: 32 }, () => floatBits(random)),
    csrs: initialCsrs(context, satp),
    vectored: { M: random.oneIn(3), S: random.oneIn(3) },
    data: randomBytes(random, dataBytes),
    tables,
  };
}

function pickMode(random: Random, kind: Kind): Mode {
  if (kind === 'legal-values' || kind === 'borrowed-mode-paging') return 'M';
  if (kind === 'mode-change-paging') return random.pick(['M', 'S']);
  if (kind.endsWith('paging')) return random.pick(['S', 'S', 'U']);
  if (kind === 'self-modifying' || kind === 'integer' || kind === 'decoding')
    return random.pick(['M', 'S', 'U']);
  return random.pick(['M', 'M', 'S', 'U']);
}

function initialRegisters({ random, slot }: Context, isPaged: boolean): readonly bigint[] {
  const registers = Array.from({ length: 32 }, () => random.interesting64());
  const data = BigInt(dataAddress(slot));
  const good = (): bigint =>
    isPaged
      ? windowAddress(random, slot, true)
      : data + 4096n + BigInt(random.pick([0, 512, 1023, 1024, -1, 8]) * 8);
  const nearPageEnd = isPaged ? good() | 0xff0n : data + 8192n - BigInt(random.between(0, 4) * 8);
  const nowhere = random.pick([
    0x30_0000n,
    0x900_0000n,
    0x8800_0000n,
    0x1000_0000_0000n,
    BigInt.asUintN(64, -8n),
  ]);
  registers[0] = 0n;
  registers[2] = good() & ~15n;
  registers[8] = good();
  registers[9] = nearPageEnd;
  // s2, s3, s4: see register-choice.ts.
  registers[18] = good() + BigInt(random.between(1, 7));
  registers[19] = isPaged ? windowAddress(random, slot, false) : nowhere;
  registers[20] = isPaged
    ? windowAddress(random, slot, false)
    : data + BigInt(random.between(3, dataBytes - 8));
  return registers;
}

/** MPRV. */
const modifyPrivilege = 1n << 17n;

function initialCsrs(context: Context, satp: bigint): InitialCsrs {
  const { random, kind, mode } = context;
  const previousMode = { M: 3n, S: 1n, U: 0n }[mode];
  const floatState = kind === 'float' && !random.oneIn(6) ? 1 : random.between(0, 3);
  // SUM, MXR, TVM, TW and TSR; MPIE, SPIE and SPP; the two interrupt enables. Programs that change their page table
  // must be allowed to fence: when else an old entry goes is up to the machine.
  const others =
    kind === 'integer' || kind === 'float'
      ? 0n
      : random.bits64() & (kind.endsWith('paging') ? 0x6c_01a2n : 0x7c_01a2n);
  const isDelegating = random.oneIn(2);
  return {
    mstatus:
      (previousMode << 11n) |
      (BigInt(floatState) << 13n) |
      others |
      (kind === 'borrowed-mode-paging' ? modifyPrivilege : 0n),
    // Not calls from S mode: that is how the stub for delegated traps reaches M mode.
    medeleg: isDelegating ? paired(random.bits64() & 0xb1ffn) : 0n,
    mideleg: isDelegating ? random.bits64() & 0x222n : 0n,
    mie: kind === 'interrupt' ? BigInt(context.interrupt) : 0n,
    satp,
    mcounteren: kind === 'trap' || kind === 'mode-change' ? random.bits64() & 0xffff_ffffn : 0n,
    scounteren: kind === 'trap' || kind === 'mode-change' ? random.bits64() & 0xffff_ffffn : 0n,
    sscratch: random.bits64(),
    fcsr: BigInt(
      random.oneIn(8) ? random.between(0, 255) : random.between(0, 4) * 32 + random.between(0, 31),
    ),
  };
}

/** Delegates faults of loads as those of stores: QEMU 7.2 takes the ones for the others in atomics (see compare.ts). */
function paired(medeleg: bigint): bigint {
  const loads = medeleg & 0x2030n;
  return (medeleg & ~0x80c0n) | ((loads & 0x30n) << 2n) | ((loads & 0x2000n) << 2n);
}

function loop({ random, kind }: Context): Fragment {
  const make = kind === 'float' ? floatOperation : kind === 'memory' ? loadOrStore : arithmetic;
  return boundedLoop(
    random,
    Array.from({ length: random.between(1, 5) }, () => make(random)),
  );
}

/** An access of its own to any window, or to an address that has none. */
function riskyAccess({ random, slot }: Context): Fragment {
  const address = windowAddress(random, slot, false);
  const mnemonic = random.pick(['lb', 'lhu', 'lw', 'ld', 'sb', 'sh', 'sw', 'sd'] as const);
  return (a) => {
    a.li('t6', address);
    a.emit(mnemonic, ['a0', 0, 't6']);
  };
}

function tableChange({ random, mode, slot }: Context): Fragment {
  return changeEntry(random, mode, slot);
}

function pagedModeChange({ random, mode }: Context): Fragment {
  return changePagedMode(random, ownMode(mode));
}

/** Who may execute the code at its physical addresses, and whose the good windows are. */
function ownMode(mode: Mode): Mode {
  return mode === 'M' ? 'U' : mode;
}

function spaceChange({ random, slot }: Context): Fragment {
  return changeAddressSpace(random, slot);
}

function patch({ random, kind }: Context): Fragment {
  return selfModifying(random, kind.endsWith('paging'));
}

function rareJump({ random }: Context): Fragment {
  return random.oneIn(5) ? jumpNowhere() : arithmetic(random);
}

function tableAtomic({ random, slot }: Context): Fragment {
  return pagedAtomic(random, slot);
}

function randomBytes(random: Random, length: number): Uint8Array {
  const bytes = new Uint8Array(length);
  const view = new DataView(bytes.buffer);
  // A few words in each page are enough to tell pages and places apart; the rest repeats them.
  const words = Array.from({ length: 61 }, () => random.interesting64());
  for (let at = 0; at < length; at += 8) view.setBigUint64(at, words[(at / 8) % words.length] ?? 0n, true);
  for (let page = 0; page < length; page += 4096)
    bytes.fill(0, page + zeroesInPage.from, page + zeroesInPage.to);
  return bytes;
}
