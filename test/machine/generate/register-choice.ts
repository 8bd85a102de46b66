/**
 * Which registers random instructions use. Some hold addresses and keep them, or most loads and stores would only
 * fault; the rest may be overwritten.
 */
import { type FRegister, fRegisters, type ShortXRegister, type XRegister, xRegisters } from '@skein/guests';
import type { Random } from '../random.ts';

/** Aligned addresses inside the program's data, or inside mapped windows of it. */
export const addressRegisters = ['s0', 's1', 'sp'] as const;
/** s2: a misaligned address of data; s3: nothing answers there; s4: any window of a paged program. */
export const riskyAddressRegisters = ['s2', 's3', 's4'] as const;
/** Counts a loop down. */
export const loopRegister = 's11';

const kept: ReadonlySet<XRegister> = new Set([...addressRegisters, ...riskyAddressRegisters, loopRegister]);
const overwritable = xRegisters.filter((register) => !kept.has(register));
const shortOverwritable = ['a0', 'a1', 'a2', 'a3', 'a4', 'a5'] as const;
const shortAll: readonly ShortXRegister[] = ['s0', 's1', ...shortOverwritable];

export const anyDestination = (random: Random): XRegister => random.pick(overwritable);
/** Compressed forms have other meanings for x0. */
export const nonzeroDestination = (random: Random): XRegister => random.pick(overwritable.slice(1));
export const anySource = (random: Random): XRegister => random.pick(xRegisters);
export const nonzeroSource = (random: Random): XRegister => random.pick(xRegisters.slice(1));
export const shortDestination = (random: Random): ShortXRegister => random.pick(shortOverwritable);
export const shortSource = (random: Random): ShortXRegister => random.pick(shortAll);
export const anyFloat = (random: Random): FRegister => random.pick(fRegisters);

/** The register's number in encodings. */
export const numberOf = (register: XRegister): number => xRegisters.indexOf(register);

export function anyAddressRegister(random: Random): XRegister {
  return random.oneIn(8) ? random.pick(riskyAddressRegisters) : random.pick(addressRegisters);
}
