/**
 * Reserved accesses and atomic read-modify-writes. The interpreter does those whose page has a fast entry and whose address is
 * aligned; the others, and whatever faults, are done by assembly/execute/atomic.ts. One hart: nothing can come between
 * the read and the write, and the order bits ask for nothing.
 * Source: RISC-V ISA manual, "A" Extension for Atomic Instructions.
 */
import { type AtomicBytes, atomic } from './encoding.ts';
import type { Instruction } from './instruction.ts';

/** What is written, of `old` and `rs2`; both sign-extended, so that 64-bit comparisons serve both widths. */
const readModifyWrites: readonly (readonly [name: string, funct5: number, value: string])[] = [
  ['AMOADD', 0x00, 'old + rs2'],
  ['AMOSWAP', 0x01, 'rs2'],
  ['AMOXOR', 0x04, 'old ^ rs2'],
  ['AMOOR', 0x08, 'old | rs2'],
  ['AMOAND', 0x0c, 'old & rs2'],
  ['AMOMIN', 0x10, '(old as i64) < (rs2 as i64) ? old : rs2'],
  ['AMOMAX', 0x14, '(old as i64) > (rs2 as i64) ? old : rs2'],
  ['AMOMINU', 0x18, 'old < rs2 ? old : rs2'],
  ['AMOMAXU', 0x1c, 'old > rs2 ? old : rs2'],
];

const widths: readonly (readonly [suffix: string, bytes: AtomicBytes])[] = [
  ['W', 4],
  ['D', 8],
];

export const atomicInstructions: readonly Instruction[] = widths.flatMap(([suffix, bytes]): Instruction[] => [
  {
    name: `LR_${suffix}`,
    lengths: [4],
    encoding: atomic(bytes, 0x02, 'load-reserved'),
    effect: { kind: 'load-reserved', bytes },
  },
  {
    name: `SC_${suffix}`,
    lengths: [4],
    encoding: atomic(bytes, 0x03),
    effect: { kind: 'store-conditional', bytes },
  },
  ...readModifyWrites.map(
    ([name, funct5, value]): Instruction => ({
      name: `${name}_${suffix}`,
      lengths: [4],
      encoding: atomic(bytes, funct5),
      effect: { kind: 'read-modify-write', bytes, value },
    }),
  ),
]);
