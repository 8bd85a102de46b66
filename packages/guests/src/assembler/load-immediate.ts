/**
 * How a 64-bit constant gets into a register: the shortest of the sequences of lui, addi(w) and slli that an
 * assembler's `li` makes. Source: RISC-V Assembly Programmer's Manual, "Load Immediate".
 */

export type LoadStep =
  | { readonly kind: 'lui'; readonly upper: number }
  /** `addi rd, zero, immediate` as the first step, `addi rd, rd, immediate` later. */
  | { readonly kind: 'addi'; readonly immediate: number }
  | { readonly kind: 'addiw'; readonly immediate: number }
  | { readonly kind: 'slli'; readonly shift: number };

/** @param value taken modulo 2^64. */
export function loadImmediateSteps(value: bigint): readonly LoadStep[] {
  const signed = BigInt.asIntN(64, value);
  const low = Number(BigInt.asIntN(12, signed));
  if (signed === BigInt(low)) return [{ kind: 'addi', immediate: low }];
  if (signed === BigInt.asIntN(32, signed)) {
    // addiw wraps at 32 bits, so that 0x7fff_ffff needs no more than these two.
    const upper = Number(BigInt.asUintN(20, (signed - BigInt(low)) >> 12n));
    const lui: LoadStep = { kind: 'lui', upper };
    return low === 0 ? [lui] : [lui, { kind: 'addiw', immediate: low }];
  }
  let high = BigInt.asIntN(64, signed - BigInt(low));
  let shift = 0;
  while ((high & 1n) === 0n) {
    high >>= 1n;
    shift++;
  }
  const steps = [...loadImmediateSteps(high), { kind: 'slli', shift } as const];
  return low === 0 ? steps : [...steps, { kind: 'addi', immediate: low }];
}
