/**
 * A machine with its RAM as one block of bytes, for a file: saved state, then the pages that are not zero. Read as
 * a stranger's: every length and page number is checked before the first byte of the machine changes.
 * Layout (little endian): magic "SKNM", u32 version, u32 RAM pages, u32 state bytes, u32 page count, u32 zero; the
 * state; per page u32 number and 4,096 bytes; u64 sum of the position-keyed page hashes.
 */
import type { Machine } from './machine.ts';
import { MachineError } from './machine-error.ts';
import { pageBytes } from './machine-memory.ts';

const magic = 0x4d4e_4b53;
const version = 1;
const headerBytes = 24;
const recordBytes = 4 + pageBytes;

/** Between two runs. The machine is unchanged. */
export function saveSnapshot(machine: Machine): Uint8Array {
  const state = machine.saveState();
  const pages: number[] = [];
  for (let page = 0; page < machine.memory.pages; page++) {
    if (machine.memory.isTouched(page) && machine.pageHash(page) !== 0n) pages.push(page);
  }
  const bytes = new Uint8Array(headerBytes + state.length + pages.length * recordBytes + 8);
  const view = new DataView(bytes.buffer);
  [magic, version, machine.memory.pages, state.length, pages.length, 0].forEach((value, index) => {
    view.setUint32(index * 4, value, true);
  });
  bytes.set(state, headerBytes);
  let at = headerBytes + state.length;
  for (const page of pages) {
    view.setUint32(at, page, true);
    bytes.set(machine.memory.page(page), at + 4);
    at += recordBytes;
  }
  view.setBigUint64(at, machine.memoryHash(), true);
  return bytes;
}

/**
 * Makes a machine of the same board and size what the snapshot says. If RAM turns out to be corrupt, which shows
 * only after it was written, the machine is left without a runnable state: throw it away.
 * @throws MachineError snapshot.invalid, snapshot.version, snapshot.other-machine
 */
export function loadSnapshot(machine: Machine, bytes: Uint8Array): void {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const { stateBytes, pages } = readHeader(view, machine.memory.pages);
  const firstPage = headerBytes + stateBytes;
  checkPageNumbers(view, firstPage, pages, machine.memory.pages);
  machine.restoreState(bytes.subarray(headerBytes, firstPage));
  machine.clearMemory();
  for (let index = 0; index < pages; index++) {
    const at = firstPage + index * recordBytes;
    const address = machine.guestMemory.base + view.getUint32(at, true) * pageBytes;
    machine.guestMemory.write(address, bytes.subarray(at + 4, at + recordBytes));
  }
  if (machine.memoryHash() !== view.getBigUint64(bytes.length - 8, true)) {
    machine.apply({ type: 'power', action: 'off' });
    throw refused('its memory does not have the hash it should have');
  }
}

function readHeader(view: DataView, memoryPages: number): { stateBytes: number; pages: number } {
  if (view.byteLength < headerBytes + 8) throw refused('it is too short');
  if (view.getUint32(0, true) !== magic) throw refused('it does not begin like one');
  const found = view.getUint32(4, true);
  if (found !== version) {
    throw new MachineError(
      'snapshot.version',
      `the snapshot has version ${found}, this program reads ${version}`,
    );
  }
  if (view.getUint32(8, true) !== memoryPages) {
    throw new MachineError('snapshot.other-machine', 'the snapshot is of a machine with other memory');
  }
  const stateBytes = view.getUint32(12, true);
  const pages = view.getUint32(16, true);
  if (pages > memoryPages || headerBytes + stateBytes + pages * recordBytes + 8 !== view.byteLength) {
    throw refused('its lengths do not add up');
  }
  return { stateBytes, pages };
}

/** Strictly rising, so that no page comes twice. */
function checkPageNumbers(view: DataView, firstPage: number, pages: number, memoryPages: number): void {
  let before = -1;
  for (let index = 0; index < pages; index++) {
    const page = view.getUint32(firstPage + index * recordBytes, true);
    if (page <= before || page >= memoryPages) throw refused('its pages are not in order');
    before = page;
  }
}

function refused(reason: string): MachineError {
  return new MachineError('snapshot.invalid', `this is no snapshot of a machine: ${reason}`);
}
