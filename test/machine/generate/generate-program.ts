/** Makes a whole random program from a seed: what kind it is, its state before the start, its fragments. */
import { dataAddress, dataBytes, tableBytes } from '../memory-map.ts';
import { Random } from '../random.ts';
import type { InitialCsrs, Mode, TestProgram } from '../test-program.ts';
import { floatBits } from './float.ts';
import { buildPagedSpace, jumpToWindow, windowAddress, zeroesInPage } from './paging.ts';
import { type Context, type Kind, kinds, makers, ownMode } from './program-kinds.ts';
import { jumpIntoData, noProtection, randomProtection } from './protection.ts';

/** @param slot where the batch puts it; addresses in the program depend on it, nothing else does */
export function generateProgram(seed: bigint, slot: number): TestProgram {
  const random = new Random(seed);
  const kind = random.pick(kinds);
  const mode = pickMode(random, kind);
  const interrupt = random.pick([0x2, 0x20, 0x200] as const);
  const isPaged = kind.endsWith('paging');
  const protection = { slot, isPaged, isCoarse: random.oneIn(2) };
  const context: Context = { random, kind, mode, slot, interrupt, protection };
  const fragmentCount = kind === 'float' ? random.between(20, 48) : random.between(6, 24);
  const fragments = Array.from({ length: fragmentCount }, () => random.pick(makers[kind])(context));
  // A jump into a window or into data mostly ends the program.
  if (mayJumpAway(context)) fragments.push(isPaged ? jumpToWindow(random, slot) : jumpIntoData(random, slot));
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

function mayJumpAway({ random, kind, mode, protection }: Context): boolean {
  const isProtected = kind.startsWith('protection');
  if (mode === 'M' || !random.oneIn(2)) return false;
  return isProtected ? protection.isCoarse : protection.isPaged;
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
      (kind === 'borrowed-mode-paging' || (kind === 'protection' && mode === 'M') ? modifyPrivilege : 0n),
    // Not calls from S mode: that is how the stub for delegated traps reaches M mode.
    medeleg: isDelegating ? paired(random.bits64() & 0xb1ffn) : 0n,
    mideleg: isDelegating ? random.bits64() & 0x222n : 0n,
    mie: kind === 'interrupt' ? BigInt(context.interrupt) : 0n,
    satp,
    mcounteren: kind === 'trap' || kind === 'mode-change' ? random.bits64() & 0xffff_ffffn : 0n,
    scounteren: kind === 'trap' || kind === 'mode-change' ? random.bits64() & 0xffff_ffffn : 0n,
    sscratch: random.bits64(),
    ...(kind.startsWith('protection') ? randomProtection(random, context.protection) : noProtection),
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
