/**
 * A template: a snapshot (snapshot-head.ts) of a machine whose guest waits for its identity, in a file, without the
 * devices that each VM has of its own. Pages go between the file and RAM without a copy in between, synchronously: this
 * runs on a vCPU's thread. Whole or absent: written under another name, then renamed.
 */
import { closeSync, fstatSync, openSync, readSync, readvSync, renameSync, rmSync, writevSync } from 'node:fs';
import type { Machine } from './machine.ts';
import { pageBytes } from './machine-memory.ts';
import {
  decodeHead,
  describeMemory,
  encodeHead,
  fixedHeadBytes,
  type PageRun,
  readHeadLength,
  refusedSnapshot,
} from './snapshot-head.ts';

/** IOV_MAX of Linux is 1,024: readv(2). */
const buffersMax = 1024;

/**
 * Between two runs; the machine is unchanged. `temporaryPath` is on the same file system and nobody else's.
 * @throws MachineError template.not-possible; what the file system says
 */
export function saveTemplate(machine: Machine, path: string, temporaryPath: string): { pages: number } {
  const state = machine.saveTemplateState();
  const memory = describeMemory(machine);
  const head = encodeHead({ ...memory, state }, machine.memory.pages);
  const file = openSync(temporaryPath, 'wx', 0o600);
  try {
    const views = memory.runs.map((run) => viewOf(machine, run));
    transfer([head, ...views], 0, (part, position) => writevSync(file, part, position));
    renameSync(temporaryPath, path);
  } catch (error) {
    rmSync(temporaryPath, { force: true });
    throw error;
  } finally {
    closeSync(file);
  }
  return { pages: memory.pages };
}

/**
 * Makes a fresh machine a clone: the template's RAM and state, its own devices at power-on. Whatever is refused, the
 * machine is then left without a runnable state: throw it away.
 * @throws MachineError snapshot.invalid, snapshot.version, snapshot.other-machine; what the file system says
 */
export function loadTemplate(machine: Machine, path: string): void {
  const file = openSync(path, 'r');
  try {
    const { size } = fstatSync(file);
    const fixed = new Uint8Array(fixedHeadBytes);
    const read = readSync(file, fixed, 0, fixed.length, 0);
    const bytes = new Uint8Array(readHeadLength(fixed.subarray(0, read), size, machine.memory.pages));
    if (readSync(file, bytes, 0, bytes.length, 0) !== bytes.length) throw refusedSnapshot('it is too short');
    const head = decodeHead(bytes);
    const views = head.runs.map(({ first, count }) => machine.writablePages(first, count));
    transfer(views, bytes.length, (part, position) => readvSync(file, part, position));
    if (machine.memoryHash() !== head.memoryHash)
      throw refusedSnapshot('its memory does not have the hash it should have');
    machine.restoreTemplateState(head.state);
  } finally {
    closeSync(file);
  }
}

function viewOf(machine: Machine, { first, count }: PageRun): Uint8Array {
  return machine.memory.ram.subarray(first * pageBytes, (first + count) * pageBytes);
}

/** All of the buffers in order, in as few calls as the system allows; a call may move less than it was asked to. */
function transfer(
  buffers: readonly Uint8Array[],
  position: number,
  move: (part: readonly Uint8Array[], position: number) => number,
): void {
  let at = position;
  for (let next = 0; next < buffers.length; next += buffersMax) {
    let part = buffers.slice(next, next + buffersMax);
    while (part.length > 0) {
      const moved = move(part, at);
      if (moved === 0) throw refusedSnapshot('it ends too early');
      at += moved;
      part = withoutFirst(part, moved);
    }
  }
}

/** What is left of the buffers behind their first bytes. */
function withoutFirst(buffers: readonly Uint8Array[], bytes: number): Uint8Array[] {
  let left = bytes;
  return buffers.flatMap((buffer) => {
    const skipped = Math.min(left, buffer.length);
    left -= skipped;
    return skipped === buffer.length ? [] : [buffer.subarray(skipped)];
  });
}
