/**
 * Random physical memory protection: four entries over parts of a program's data, its second page of code and its page
 * tables. Behind them the harness's last entry permits everything.
 * Source: Privileged Architecture, "Physical Memory Protection". Without locked entries, which would outlive their
 * program, and without writable entries that can't be read, which are reserved.
 */
import { codeAddress, dataAddress, dataBytes, tableAddress } from '../memory-map.ts';
import type { Random } from '../random.ts';
import type { Fragment } from '../test-program.ts';
import { zeroesInPage } from './paging.ts';

const pageBytes = 4096;
const modes = { off: 0, topOfRange: 1, fourBytes: 2, powerOfTwo: 3 } as const;
const [read, write, execute] = [1, 2, 4];

export interface Protection {
  readonly pmpaddr0: bigint;
  readonly pmpaddr1: bigint;
  readonly pmpaddr2: bigint;
  readonly pmpaddr3: bigint;
  readonly pmpcfg0: bigint;
}

export const noProtection: Protection = {
  pmpaddr0: 0n,
  pmpaddr1: 0n,
  pmpaddr2: 0n,
  pmpaddr3: 0n,
  pmpcfg0: 0n,
};

export interface ProtectionChoice {
  readonly slot: number;
  /** Whether the program has page tables. */
  readonly isPaged: boolean;
  /**
   * Entries are of whole pages. Finer ones are for data alone: QEMU 7.2 asks for the rest of a page before it fetches
   * one instruction of it.
   */
  readonly isCoarse: boolean;
}

interface Area {
  readonly start: number;
  readonly bytes: number;
  readonly rights: readonly number[];
}

interface Entry {
  readonly area: Area;
  readonly address: bigint;
  readonly config: number;
}

export function randomProtection(random: Random, choice: ProtectionChoice): Protection {
  const entries: Entry[] = [];
  for (let index = 0; index < 4; index++) entries.push(randomEntry(random, choice, entries.at(-1)));
  const [pmpaddr0 = 0n, pmpaddr1 = 0n, pmpaddr2 = 0n, pmpaddr3 = 0n] = entries.map(({ address }) => address);
  const pmpcfg0 = entries.reduce((sum, { config }, index) => sum | (BigInt(config) << BigInt(8 * index)), 0n);
  return { pmpaddr0, pmpaddr1, pmpaddr2, pmpaddr3, pmpcfg0 };
}

function randomEntry(random: Random, choice: ProtectionChoice, previous: Entry | undefined): Entry {
  const area = pickArea(random, choice);
  const grain = choice.isCoarse ? pageBytes : 4;
  const place = area.start + random.between(0, area.bytes / grain - 1) * grain;
  const entry = (mode: number, address: number): Entry => {
    return { area, address: BigInt(address / 4), config: (mode << 3) | random.pick(area.rights) };
  };
  // A range begins at the address before: in the same area, for what lies between areas is everybody's, and not at the
  // one of a power of two, which is no multiple of a page.
  const mayBeRange =
    previous?.area.start === area.start && (!choice.isCoarse || previous.config >> 3 !== modes.powerOfTwo);
  switch (random.between(0, 5)) {
    case 0:
      return entry(modes.off, place);
    case 1:
      if (mayBeRange) return entry(modes.topOfRange, place + grain);
      break;
    case 2:
      if (!choice.isCoarse) return entry(modes.fourBytes, place);
      break;
    default:
  }
  const bytes = 2 ** random.between(Math.log2(Math.max(grain, 8)), Math.log2(area.bytes));
  const start = area.start + random.between(0, area.bytes / bytes - 1) * bytes;
  return entry(modes.powerOfTwo, start + bytes / 2 - 4);
}

function pickArea(random: Random, { slot, isPaged, isCoarse }: ProtectionChoice): Area {
  const anyRights = [0, read, read | write, execute, read | execute, read | write | execute];
  const data = { start: dataAddress(slot), bytes: dataBytes, rights: anyRights };
  if (!isCoarse || !random.oneIn(4)) return data;
  // The last tables, not the root. QEMU 7.2 sets A and D in tables that may only be read.
  const tables = {
    start: tableAddress(slot) + 2 * pageBytes,
    bytes: 2 * pageBytes,
    rights: [0, read | write],
  };
  if (isPaged && random.oneIn(2)) return tables;
  return { start: codeAddress(slot) + pageBytes, bytes: pageBytes, rights: anyRights };
}

/** Other entries from here on; in M mode, which sees what they mean by MPRV. */
export function changeProtection(random: Random, choice: ProtectionChoice): Fragment {
  const protection = randomProtection(random, choice);
  return (a) => {
    // The configuration last: QEMU 7.2 keeps what it translated when only an address changes.
    for (const name of ['pmpaddr0', 'pmpaddr1', 'pmpaddr2', 'pmpaddr3', 'pmpcfg0'] as const) {
      a.li('t6', protection[name]);
      a.csrrw('t5', name, 't6');
    }
    a.sfenceVma('zero', 'zero');
  };
}

/** Executes data, which is zeroes there: an illegal instruction, if it may be fetched. The program ends there. */
export function jumpIntoData(random: Random, slot: number): Fragment {
  const page = random.between(0, dataBytes / pageBytes - 1) * pageBytes;
  const address = dataAddress(slot) + page + zeroesInPage.from + random.between(0, 15) * 2;
  return (a) => {
    a.li('t6', address);
    a.jalr('zero', 0, 't6');
  };
}

/** Access to any place of the program's data, within a page. */
export function dataAccess(random: Random, slot: number): Fragment {
  const page = random.between(0, dataBytes / pageBytes - 1) * pageBytes;
  const address = dataAddress(slot) + page + random.between(0, pageBytes - 8);
  const mnemonic = random.pick(['lb', 'lhu', 'lw', 'ld', 'fld', 'sb', 'sh', 'sw', 'sd', 'fsw'] as const);
  return (a) => {
    a.li('t6', address);
    a.emit(mnemonic, [mnemonic.startsWith('f') ? 'fa0' : 'a0', 0, 't6']);
  };
}
