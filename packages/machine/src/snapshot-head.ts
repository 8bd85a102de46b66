/**
 * How a snapshot begins: saved state, which pages of RAM follow, and what they hash to. Read as a stranger's: every
 * length and page number is checked before the first byte of a machine changes.
 * Layout (little endian): magic "SKNM", u32 version, u32 RAM pages, u32 state bytes, u32 run count, u32 page count,
 * u64 sum of the position-keyed page hashes, u64 digest of all else in the head; the state; per run of pages u32 first,
 * u32 count; zeros to the next multiple of 4,096. Behind the head stand the pages, 4,096 bytes each.
 */
import type { Machine } from './machine.ts';
import { MachineError } from './machine-error.ts';
import { pageBytes } from './machine-memory.ts';
import { addHashes, hashBytes } from './state-hash.ts';

const magic = 0x4d4e_4b53;
const version = 2;
const digestOffset = 32;
/** How many bytes tell how long the rest of the head is. */
export const fixedHeadBytes = 40;
const runBytes = 8;

/** Consecutive pages of RAM. */
export interface PageRun {
  readonly first: number;
  readonly count: number;
}

export interface SnapshotHead {
  readonly state: Uint8Array;
  readonly runs: readonly PageRun[];
  readonly pages: number;
  readonly memoryHash: bigint;
}

/** What to save of a machine's RAM: the pages that are not zero. */
export function describeMemory(machine: Machine): Omit<SnapshotHead, 'state'> {
  const runs: { first: number; count: number }[] = [];
  const hashes: bigint[] = [];
  for (let page = 0; page < machine.memory.pages; page++) {
    const hash = machine.memory.isTouched(page) ? machine.pageHash(page) : 0n;
    if (hash === 0n) continue;
    hashes.push(hash);
    const last = runs.at(-1);
    if (last !== undefined && last.first + last.count === page) last.count++;
    else runs.push({ first: page, count: 1 });
  }
  return { runs, pages: hashes.length, memoryHash: addHashes(...hashes) };
}

export function encodeHead(head: SnapshotHead, memoryPages: number): Uint8Array<ArrayBuffer> {
  const { state, runs, pages, memoryHash } = head;
  const bytes = new Uint8Array(headBytesOf(state.length, runs.length));
  const view = new DataView(bytes.buffer);
  [magic, version, memoryPages, state.length, runs.length, pages].forEach((value, index) => {
    view.setUint32(index * 4, value, true);
  });
  view.setBigUint64(24, memoryHash, true);
  bytes.set(state, fixedHeadBytes);
  runs.forEach(({ first, count }, index) => {
    const at = fixedHeadBytes + state.length + index * runBytes;
    view.setUint32(at, first, true);
    view.setUint32(at + 4, count, true);
  });
  view.setBigUint64(digestOffset, hashBytes(bytes), true);
  return bytes;
}

/**
 * The length of the whole head. `fileBytes`: of the whole snapshot.
 * @throws MachineError snapshot.invalid, snapshot.version, snapshot.other-machine
 */
export function readHeadLength(fixed: Uint8Array, fileBytes: number, memoryPages: number): number {
  if (fixed.length < fixedHeadBytes) throw refusedSnapshot('it is too short');
  const view = viewOf(fixed);
  if (view.getUint32(0, true) !== magic) throw refusedSnapshot('it does not begin like one');
  const found = view.getUint32(4, true);
  if (found !== version) {
    const message = `the snapshot has version ${found}, this program reads ${version}`;
    throw new MachineError('snapshot.version', message);
  }
  if (view.getUint32(8, true) !== memoryPages) {
    throw new MachineError('snapshot.other-machine', 'the snapshot is of a machine with other memory');
  }
  const runs = view.getUint32(16, true);
  const pages = view.getUint32(20, true);
  const headBytes = headBytesOf(view.getUint32(12, true), runs);
  if (pages > memoryPages || runs > pages || headBytes + pages * pageBytes !== fileBytes) {
    throw refusedSnapshot('its lengths do not add up');
  }
  return headBytes;
}

/** `bytes`: of the length that readHeadLength said. @throws MachineError snapshot.invalid */
export function decodeHead(bytes: Uint8Array): SnapshotHead {
  const copy = bytes.slice();
  const view = viewOf(copy);
  const digest = view.getBigUint64(digestOffset, true);
  view.setBigUint64(digestOffset, 0n, true);
  if (hashBytes(copy) !== digest) throw refusedSnapshot('its head does not have the digest it should have');
  const firstRun = fixedHeadBytes + view.getUint32(12, true);
  const runs = Array.from({ length: view.getUint32(16, true) }, (_, index) => ({
    first: view.getUint32(firstRun + index * runBytes, true),
    count: view.getUint32(firstRun + index * runBytes + 4, true),
  }));
  const pages = view.getUint32(20, true);
  checkRuns(runs, pages, view.getUint32(8, true));
  return {
    state: copy.subarray(fixedHeadBytes, firstRun),
    runs,
    pages,
    memoryHash: view.getBigUint64(24, true),
  };
}

export function refusedSnapshot(reason: string): MachineError {
  return new MachineError('snapshot.invalid', `this is no snapshot of a machine: ${reason}`);
}

/** Strictly rising, so that no page comes twice. */
function checkRuns(runs: readonly PageRun[], pages: number, memoryPages: number): void {
  let end = 0;
  let sum = 0;
  for (const { first, count } of runs) {
    if (first < end || count === 0 || first + count > memoryPages)
      throw refusedSnapshot('its pages are not in order');
    end = first + count;
    sum += count;
  }
  if (sum !== pages) throw refusedSnapshot('its lengths do not add up');
}

function headBytesOf(stateBytes: number, runs: number): number {
  return Math.ceil((fixedHeadBytes + stateBytes + runs * runBytes) / pageBytes) * pageBytes;
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
