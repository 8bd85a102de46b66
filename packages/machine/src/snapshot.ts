/** A machine with its RAM as one block of bytes: saved state, then the pages that are not zero (snapshot-head.ts). */
import type { Machine } from './machine.ts';
import { pageBytes } from './machine-memory.ts';
import {
  decodeHead,
  describeMemory,
  encodeHead,
  fixedHeadBytes,
  readHeadLength,
  refusedSnapshot,
} from './snapshot-head.ts';

/** Between two runs. The machine is unchanged. */
export function saveSnapshot(machine: Machine): Uint8Array {
  const memory = describeMemory(machine);
  const head = encodeHead({ ...memory, state: machine.saveState() }, machine.memory.pages);
  const bytes = new Uint8Array(head.length + memory.pages * pageBytes);
  bytes.set(head);
  let at = head.length;
  for (const { first, count } of memory.runs) {
    bytes.set(machine.memory.ram.subarray(first * pageBytes, (first + count) * pageBytes), at);
    at += count * pageBytes;
  }
  return bytes;
}

/**
 * Makes a machine of the same board and size what the snapshot says. If RAM turns out to be corrupt, which shows
 * only after it was written, the machine is left without a runnable state: throw it away.
 * @throws MachineError snapshot.invalid, snapshot.version, snapshot.other-machine
 */
export function loadSnapshot(machine: Machine, bytes: Uint8Array): void {
  const fixed = bytes.subarray(0, fixedHeadBytes);
  const headBytes = readHeadLength(fixed, bytes.length, machine.memory.pages);
  const head = decodeHead(bytes.subarray(0, headBytes));
  machine.restoreState(head.state);
  machine.clearMemory();
  let at = headBytes;
  for (const { first, count } of head.runs) {
    machine.writablePages(first, count).set(bytes.subarray(at, at + count * pageBytes));
    at += count * pageBytes;
  }
  if (machine.memoryHash() !== head.memoryHash) {
    machine.apply({ type: 'power', action: 'off' });
    throw refusedSnapshot('its memory does not have the hash it should have');
  }
}
