/**
 * The five IEEE 754 exceptions, as bits of fflags, and those raised since the last take: a global instead of
 * a result, so that every operation can return its value alone. Traps on them are not modelled: RISC-V has none.
 * Source: RISC-V Unprivileged ISA 20240411, "F" extension, "Floating-Point Control and Status Register".
 */

export const INEXACT: u32 = 1;
export const UNDERFLOW: u32 = 2;
export const OVERFLOW: u32 = 4;
export const DIVIDE_BY_ZERO: u32 = 8;
export const INVALID: u32 = 16;

let raised: u32 = 0;

export function raise(flags: u32): void {
  raised |= flags;
}

/** The flags raised since the last call, which forgets them. */
export function takeRaised(): u32 {
  const flags = raised;
  raised = 0;
  return flags;
}
