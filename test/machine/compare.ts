/** Compares what a program left on two machines, and says in words what differs. */
import { fRegisters, xRegisters } from '@skein/guests';
import type { Outcome } from './batch.ts';
import { otherModeBit } from './generate/paging.ts';
import { finalCsrNames, record, trapBytes, trapCsrNames, trapsMax } from './record-layout.ts';

export interface Difference {
  /** `a0`, `trap 2 mepc`, `data+0x10`. */
  readonly place: string;
  readonly qemu: bigint;
  readonly skein: bigint;
}

/**
 * All differences, in the order in which they say most: traps, CSRs, registers, memory. Empty when equal. Where QEMU
 * 7.2 is known to leave the specification, both outcomes are brought to one form first.
 */
export function differences(qemu: Outcome, skein: Outcome): readonly Difference[] {
  return [
    ...wordDifferences(canonicalRecord(qemu), canonicalRecord(skein), recordPlace),
    ...(['data', 'tables', 'code'] as const).flatMap((area) =>
      wordDifferences(qemu[area], skein[area], (offset) => `${area}+0x${offset.toString(16)}`),
    ),
  ].sort((left, right) => rank(left.place) - rank(right.place));
}

const loadFaults: readonly bigint[] = [4n, 5n, 13n];
const accessFaults: readonly bigint[] = [5n, 7n];

/**
 * - QEMU 7.2 reports faults of atomic read-modify-writes as faults of loads; they are faults of stores
 *   (Privileged Architecture, "Machine Cause Register").
 * - It reports an access that nothing answers at the start of the aligned word around it.
 */
function canonicalRecord(outcome: Outcome): Uint8Array {
  const bytes = outcome.record.slice();
  const view = viewOf(bytes);
  const traps = Math.min(trapsMax, Number(view.getBigUint64(record.trapCount, true)));
  const fix = (cause: number, program: number, value: number): void => {
    const code = view.getBigUint64(cause, true);
    if (loadFaults.includes(code) && isAtomicWrite(outcome, view.getBigUint64(program, true))) {
      view.setBigUint64(cause, code + 2n, true);
    }
    if (accessFaults.includes(view.getBigUint64(cause, true))) {
      view.setBigUint64(value, view.getBigUint64(value, true) & ~7n, true);
    }
  };
  for (let trap = 0; trap < traps; trap++) {
    const at = (name: (typeof trapCsrNames)[number]): number =>
      record.traps + trap * trapBytes + trapCsrNames.indexOf(name) * 8;
    fix(at('mcause'), at('mepc'), at('mtval'));
    fix(at('scause'), at('sepc'), at('stval'));
  }
  const at = (name: (typeof finalCsrNames)[number]): number => record.csrs + finalCsrNames.indexOf(name) * 8;
  fix(at('scause'), at('sepc'), at('stval'));
  return bytes;
}

/** Whether the instruction at this address of the program is an atomic other than load-reserved. */
function isAtomicWrite({ code, codeAddress }: Outcome, address: bigint): boolean {
  const offset = Number((address & ~otherModeBit) - BigInt(codeAddress));
  // The harness leaves sepc behind the instruction, where the next trap finds it.
  return [offset, offset - 4].some((at) => {
    if (at < 0 || at + 4 > code.length) return false;
    const word = viewOf(code).getUint32(at, true);
    return (word & 0x7f) === 0x2f && word >>> 27 !== 2;
  });
}

function rank(place: string): number {
  if (place === 'traps') return 0;
  return place.startsWith('trap ') ? 1 : 2;
}

function wordDifferences(
  qemu: Uint8Array,
  skein: Uint8Array,
  place: (offset: number) => string,
): readonly Difference[] {
  if (Buffer.compare(qemu, skein) === 0) return [];
  const found: Difference[] = [];
  const [left, right] = [viewOf(qemu), viewOf(skein)];
  for (let offset = 0; offset + 8 <= qemu.length; offset += 8) {
    const [a, b] = [left.getBigUint64(offset, true), right.getBigUint64(offset, true)];
    if (a !== b && !isEarlierDirty(place(offset), a, b))
      found.push({ place: place(offset), qemu: a, skein: b });
  }
  return found;
}

/**
 * QEMU 7.2 does not call the floating-point state dirty when an instruction changes only flags; the specification
 * does (Privileged Architecture, "Extension Context Status in mstatus Register"). The other way round is a mismatch.
 */
function isEarlierDirty(place: string, qemu: bigint, skein: bigint): boolean {
  if (!place.endsWith('mstatus')) return false;
  return (qemu & floatState) !== 0n && (qemu | floatState | stateDirty) === skein;
}

const floatState = 0x6000n;
const stateDirty = 1n << 63n;

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
}

function recordPlace(offset: number): string {
  const word = (base: number): number => (offset - base) / 8;
  if (offset < record.floats) return xRegisters[word(record.registers)] ?? '';
  if (offset < record.csrs) return fRegisters[word(record.floats)] ?? '';
  if (offset < record.end) return finalCsrNames[word(record.csrs)] ?? '';
  if (offset === record.trapCount) return 'traps';
  if (offset === record.vectors) return 'vectors';
  const trap = Math.floor((offset - record.traps) / trapBytes);
  if (offset < record.traps || trap >= trapsMax) return `record+0x${offset.toString(16)}`;
  return `trap ${trap} ${trapCsrNames[((offset - record.traps) % trapBytes) / 8] ?? ''}`;
}

export function describeDifferences(found: readonly Difference[]): string {
  const shown = found.slice(0, 12).map(({ place, qemu, skein }) => {
    return `  ${place.padEnd(16)} qemu 0x${qemu.toString(16)}  skein 0x${skein.toString(16)}`;
  });
  if (found.length > shown.length) shown.push(`  and ${found.length - shown.length} more`);
  return shown.join('\n');
}
