/** Pages over a real link between two machine memories, as the two transfer workers of a migration do it. */
import { randomBytes } from 'node:crypto';
import { zstdCompressSync } from 'node:zlib';
import {
  type CoreModules,
  createDevices,
  createMachineMemory,
  loadCore,
  Machine,
  MachineMemory,
  pagesOf,
} from '@skein/machine';
import { batchBytesMax, migrationProtocol, PageBatchWriter } from '@skein/shared';
import { type Authentication, dial, type Link, type Listener, listen } from '@skein/transport';
import { afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { AllocateAhead } from '../vm/allocate-ahead.ts';
import { bitmapOf } from './page-bitmap.ts';
import { PageReceiver } from './page-receiver.ts';
import { batchesOnTheWayMax, PageSender } from './page-sender.ts';

const memoryMib = 64;
const token: Authentication = { kind: 'token', token: new Uint8Array(randomBytes(32)) };
const own = (name: string) => ({ role: 'transfer', name, bootId: randomBytes(16).toString('hex') });
const never = () => Promise.reject(new Error('not part of this test'));

let core: CoreModules;
let source: MachineMemory;
let target: MachineMemory;
let listener: Listener<typeof migrationProtocol>;
let dialed: Link<typeof migrationProtocol, 'dialer'>;
let accepted: Link<typeof migrationProtocol, 'listener'>;
let sender: PageSender;
let receiver: PageReceiver;
let refused: string | null;
/** In the order in which the target heard of them, and how many it had heard of when each batch came. */
let saidToCome: number[];
let heardOfAtBatch: number[];
/** Of a target that acts on it. */
let allocateAhead: AllocateAhead | null;

beforeAll(async () => {
  core = await loadCore();
});

beforeEach(async () => {
  source = new MachineMemory(core, createMachineMemory(core, memoryMib), memoryMib);
  target = new MachineMemory(core, createMachineMemory(core, memoryMib), memoryMib);
  receiver = new PageReceiver(core, target);
  refused = null;
  saidToCome = [];
  heardOfAtBatch = [];
  allocateAhead = null;
  const link = Promise.withResolvers<Link<typeof migrationProtocol, 'listener'>>();
  listener = await listen({
    host: '127.0.0.1',
    port: 0,
    protocol: migrationProtocol,
    own: own('h1'),
    authentication: token,
    handlers: {
      requests: {
        'migration.hello': never,
        'migration.clock': never,
        'migration.begin': never,
        'migration.resumed': never,
      },
      notices: {
        'migration.refused': () => {},
        'pages.wanted': () => {},
        'pages.applied': ({ bytes }) => void sender.acknowledged(bytes),
      },
    },
    onLink: link.resolve,
  });
  dialed = await dial({
    host: '127.0.0.1',
    port: listener.port,
    protocol: migrationProtocol,
    own: own('h2'),
    authentication: token,
    bulkBuffer: receiver.socketBuffer,
    handlers: {
      requests: { 'migration.final': never, 'migration.history': never },
      notices: {
        'migration.code': () => {},
        'pages.coming': ({ firstPage, pages }) => {
          const bitmap = bitmapOf(pages, pages.length * 8) ?? new Uint32Array(0);
          for (const page of pagesOf(bitmap)) saidToCome.push(firstPage + page);
          allocateAhead?.add(firstPage, bitmap);
          while (allocateAhead?.goOn() === true);
        },
        'migration.state': () => {},
        'migration.granted': () => {},
        'migration.aborted': () => {},
      },
    },
  });
  dialed.onBulk = apply;
  accepted = await link.promise;
  sender = new PageSender(core, source, accepted);
});

afterEach(async () => {
  dialed.close();
  await listener.close();
});

let tamper: ((frame: Uint8Array) => void) | null = null;

function apply(frame: Uint8Array): void {
  heardOfAtBatch.push(saidToCome.length);
  tamper?.(frame);
  const applied = receiver.apply(frame);
  if (applied.kind === 'refused') {
    refused = applied.reason;
    dialed.close(applied.reason);
    return;
  }
  const bytes = applied.acknowledgeBytes;
  if (bytes > 0) dialed.notify('pages.applied', { bytes });
  else
    setImmediate(() => {
      const rest = receiver.flush();
      if (rest > 0) dialed.notify('pages.applied', { bytes: rest });
    });
}

function write(page: number, fill: (bytes: Uint8Array) => void): void {
  fill(source.page(page));
  source.markTouched(page);
}

function machineOf(memory: MachineMemory): Machine {
  const devices = createDevices({ nics: [] });
  return new Machine({ core, memory: memory.wasm, memoryMib, devices, emit: () => {} });
}

/** Of this process while it writes to the target's first 6,000 pages. */
function faultsOfWriting(isMeant: (page: number) => boolean): number {
  const { ram } = target;
  const before = process.resourceUsage().minorPageFault;
  for (let page = 0; page < 6000; page++) if (isMeant(page)) ram[page * 4096 + 8] = 1;
  return process.resourceUsage().minorPageFault - before;
}

describe('pages between two hosts', () => {
  it('arrive as they are, with equal sums of hashes; zero pages travel as numbers', async () => {
    for (let page = 0; page < 3000; page++) {
      write(page * 3, (bytes) => {
        if (page % 4 !== 0) bytes.set(randomBytes(4096));
      });
    }
    const sent = await sender.send(source.touchedBitmap(), 1);
    await sender.drained();
    expect(sent.pages).toBe(3000);
    expect(sent.zeroPages).toBe(750);
    expect(sent.bytes).toBeLessThan(2250 * 4096 * 1.02);
    expect(Buffer.compare(Buffer.from(target.ram), Buffer.from(source.ram))).toBe(0);
    expect(receiver.hashes.sum).toBe(sender.hashes.sum);
    expect(sender.hashes.sum).not.toBe(0n);
    // What was never written stays unallocated at the target.
    expect(target.isTouched(0)).toBe(false);
    expect(target.isTouched(3)).toBe(true);
  });

  it('are said to come some MiB before they do, in the first round, but for those of zeros', async () => {
    const written: number[] = [];
    for (let page = 0; page < 3000; page++) {
      write(page * 3, (bytes) => {
        if (page % 4 !== 0) bytes[page] = 1;
      });
      if (page % 4 !== 0) written.push(page * 3);
    }
    await sender.send(source.touchedBitmap(), 1);
    await sender.drained();
    expect(saidToCome).toEqual(written);
    // Of two times 2,048 pages.
    expect(heardOfAtBatch[0]).toBe(1024);
    expect(heardOfAtBatch.at(-1)).toBe(written.length);
    await sender.send(source.touchedBitmap(), 2);
    await sender.drained();
    expect(saidToCome).toHaveLength(written.length);
  });

  it('have their memory when they come, and those of zeros, or that the guest does not need, have none', async () => {
    const [sending, receiving] = [machineOf(source), machineOf(target)];
    for (let page = 0; page < 6000; page++)
      write(page, (bytes) => {
        if (page % 3 === 0) bytes[4095] = 1;
      });
    const { base } = sending.guestMemory;
    // Of the pages that are not zero half are not needed.
    for (let page = 0; page < 6000; page += 6)
      sending.guestMemory.release([{ address: base + page * 4096, lengthBytes: 4096 }]);
    allocateAhead = new AllocateAhead(receiving);
    await sender.send(source.touchedBitmap(), 1);
    await sender.drained();
    expect(allocateAhead.allocatedPages).toBe(1000);
    const isSent = (page: number): boolean => page % 6 === 3;
    expect(faultsOfWriting(isSent)).toBeLessThan(100);
    expect(faultsOfWriting((page) => !isSent(page))).toBeGreaterThan(4500);
  });

  it('are said to come on no slow link, where they would wait for it and not for their memory', async () => {
    const settings = { bandwidthCapBytesPerS: 50e6, compression: 'never', deltas: true } as const;
    sender = new PageSender(core, source, accepted, settings);
    for (let page = 0; page < 500; page++) write(page, (bytes) => bytes.fill(1));
    await sender.send(source.touchedBitmap(), 1);
    await sender.drained();
    expect(saidToCome).toEqual([]);
    expect(target.isTouched(499)).toBe(true);
  });

  it('are left out where the guest does not need them, unless the target has something else in their place', async () => {
    const machine = machineOf(source);
    const release = (first: number, count: number): void => {
      const { base } = machine.guestMemory;
      machine.guestMemory.release([{ address: base + first * 4096, lengthBytes: count * 4096 }]);
    };
    for (let page = 1; page <= 100; page++) write(page, (bytes) => bytes.set(randomBytes(4096)));
    release(1, 50);
    const first = await sender.send(source.touchedBitmap(), 1);
    await sender.drained();
    expect(first).toMatchObject({ pages: 100, freePages: 50, zeroPages: 0 });
    expect(first.bytes).toBeLessThan(50 * 4096 * 1.02);
    expect([target.isTouched(50), target.isTouched(51)]).toEqual([false, true]);
    release(60, 11);
    write(71, (bytes) => bytes.fill(0));
    const again = new Uint32Array(source.pages / 32);
    for (let page = 60; page <= 71; page++) again[page >>> 5] = (again[page >>> 5] ?? 0) | (1 << (page & 31));
    const second = await sender.send(again, 2);
    await sender.drained();
    expect(second).toMatchObject({ pages: 12, freePages: 11, zeroPages: 1 });
    expect(Buffer.compare(Buffer.from(target.ram), Buffer.from(source.ram))).toBe(0);
    expect(receiver.hashes.sum).toBe(sender.hashes.sum);
  });

  it('are left out when they were written again before their turn, and go when they are sent next', async () => {
    for (let page = 0; page < 2000; page++) write(page, (bytes) => bytes.fill(1 + (page % 255)));
    const bitmap = source.touchedBitmap();
    const again = new Uint32Array(source.pages / 32);
    for (let page = 1990; page < 2000; page++) {
      again[page >>> 5] = (again[page >>> 5] ?? 0) | (1 << (page & 31));
      write(page, (bytes) => bytes.fill(7));
    }
    const sending = sender.send(bitmap, 1);
    sender.leaveOut(again);
    expect(await sending).toMatchObject({ pages: 1990, rewrittenPages: 10 });
    await sender.drained();
    expect([target.isTouched(1989), target.isTouched(1990)]).toEqual([true, false]);
    expect(receiver.hashes.sum).toBe(sender.hashes.sum);
    // What was left out once is not left out for ever.
    expect(await sender.send(again, 2)).toMatchObject({ pages: 10, rewrittenPages: 0 });
    await sender.drained();
    expect(Buffer.compare(Buffer.from(target.ram), Buffer.from(source.ram))).toBe(0);
    expect(receiver.hashes.sum).toBe(sender.hashes.sum);
    sender.leaveOut(again);
    await sender.sendNow([1990, 1991], 3);
    await sender.drained();
    expect(refused).toBeNull();
    expect(receiver.batches).toBe(sender.batches);
  });

  it('replace what was sent before, also by zeros, and the sums follow', async () => {
    write(7, (bytes) => bytes.fill(1));
    write(8, (bytes) => bytes.fill(2));
    await sender.send(source.touchedBitmap(), 1);
    write(7, (bytes) => bytes.fill(0));
    write(8, (bytes) => bytes.fill(3));
    await sender.send(source.touchedBitmap(), 2);
    await sender.drained();
    expect(target.page(7).every((byte) => byte === 0)).toBe(true);
    expect(target.page(8).every((byte) => byte === 3)).toBe(true);
    expect(receiver.hashes.sum).toBe(sender.hashes.sum);
  });

  it('that changed a little travel as what changed in them, once they were sent twice', async () => {
    const change = (round: number): void => {
      for (let page = 0; page < 1000; page++)
        write(page, (bytes) => bytes.set([round, page & 255], 8 * (page % 500)));
    };
    for (let page = 0; page < 1000; page++) write(page, (bytes) => bytes.set(randomBytes(4096)));
    const bitmap = source.touchedBitmap();
    for (const round of [1, 2]) {
      change(round);
      expect(await sender.send(bitmap, round)).toMatchObject({ pages: 1000, deltaPages: 0 });
    }
    change(3);
    const sent = await sender.send(bitmap, 3);
    expect(sent.deltaPages).toBe(1000);
    expect(sent.bytes).toBeLessThan(1000 * 32);
    // Written again with what stood there, and made zero: no change, and no copy to tell one against.
    write(5, (bytes) => bytes.fill(0));
    await sender.send(bitmap, 4);
    write(5, (bytes) => bytes.fill(1));
    expect(await sender.send(bitmap, 5)).toMatchObject({ deltaPages: 999 });
    await sender.drained();
    expect(refused).toBeNull();
    expect(Buffer.compare(Buffer.from(target.ram), Buffer.from(source.ram))).toBe(0);
    expect(receiver.hashes.sum).toBe(sender.hashes.sum);
  });

  it('arrive compressed as they are, and are shorter on the wire', async () => {
    sender = new PageSender(core, source, accepted, {
      bandwidthCapBytesPerS: null,
      compression: 'always',
      deltas: true,
    });
    for (let page = 0; page < 1000; page++)
      write(page, (bytes) => bytes.set(Buffer.from(`page ${page} `.repeat(400)).subarray(0, 4096)));
    const sent = await sender.send(source.touchedBitmap(), 1);
    await sender.drained();
    expect(sent.bytes).toBeLessThan(sent.uncompressedBytes / 4);
    expect(Buffer.compare(Buffer.from(target.ram), Buffer.from(source.ram))).toBe(0);
    expect(refused).toBeNull();
    // What does not come to the length that the frame says is refused before any of it is applied.
    const writer = new PageBatchWriter(new Uint8Array(batchBytesMax));
    writer.addRaw(1, 1n);
    const frame = writer.finishCompressed(1, receiver.batches, zstdCompressSync(new Uint8Array(4095)));
    expect(receiver.apply(frame)).toMatchObject({
      kind: 'refused',
      reason: expect.stringContaining('decompressed'),
    });
  });

  it('are refused when a byte changed on the way, and the sender hears of it', async () => {
    write(5, (bytes) => bytes.fill(9));
    tamper = (frame) => {
      const at = frame.length - 100;
      frame[at] = (frame[at] ?? 0) ^ 1;
    };
    await sender.send(source.touchedBitmap(), 1);
    await expect(sender.drained()).rejects.toMatchObject({ code: 'link.closed' });
    tamper = null;
    expect(refused).toBe('page 5 is not what the source sent');
  });

  it('are refused when two of a batch stand in each other’s place', async () => {
    write(5, (bytes) => bytes.fill(5));
    write(9, (bytes) => bytes.fill(9));
    tamper = (frame) => {
      const data = frame.subarray(-2 * 4096);
      data.copyWithin(0, 4096);
      data.fill(5, 4096);
    };
    await sender.send(source.touchedBitmap(), 1);
    await expect(sender.drained()).rejects.toMatchObject({ code: 'link.closed' });
    tamper = null;
    expect(refused).toBe('one of 2 pages from 5 to 9 is not what the source sent');
  });

  describe('that a guest waits for', () => {
    const bitmap = new Uint32Array(memoryMib * 8);
    const batch = (...pages: readonly number[]): Uint8Array => {
      const writer = new PageBatchWriter(new Uint8Array(batchBytesMax));
      for (const page of pages) writer.addZero(page);
      return writer.finish(1, receiver.batches);
    };

    beforeEach(() => {
      bitmap[0] = 0b1111;
      receiver.withhold(bitmap);
    });

    it('are its own once they are applied, and nothing is written over those that are', () => {
      expect(receiver.apply(batch(0, 2))).toMatchObject({ kind: 'applied' });
      expect([0, 1, 2, 3].map((page) => target.isMissing(page))).toEqual([false, true, false, true]);
      expect(receiver.apply(batch(1, 2))).toMatchObject({ reason: "page 2 is the guest's already" });
      expect(target.isMissing(1)).toBe(true);
    });

    it('come once, each', () => {
      expect(receiver.apply(batch(1, 1))).toMatchObject({ reason: 'a page batch has a page twice' });
      expect(target.isMissing(1)).toBe(true);
    });

    it('are not its own if one of their batch is not what was sent', () => {
      const frame = batch(1, 3);
      frame[20] = 1;
      expect(receiver.apply(frame)).toMatchObject({ code: 'migration.page-mismatch' });
      expect([1, 3].map((page) => target.isMissing(page))).toEqual([true, true]);
    });
  });

  it('are not overwritten before they were acknowledged, however small their batches are', async () => {
    const arrived: Uint8Array[] = [];
    dialed.onBulk = (frame) => {
      arrived.push(new Uint8Array(frame));
    };
    // Full batches first, then far more small ones than there is memory for.
    const bitmap = new Uint32Array(source.pages / 32).fill(0xffff_ffff);
    for (let page = 0; page < 900; page++) write(page, (bytes) => bytes.fill(page + 1));
    const sending = sender.send(bitmap, 1);
    sending.catch(() => {});
    await vi.waitFor(() => expect(arrived.length).toBeGreaterThan(batchesOnTheWayMax - 10));
    await new Promise((resolve) => setTimeout(resolve, 200));
    expect(sender.batches).toBeLessThanOrEqual(batchesOnTheWayMax);
    dialed.onBulk = apply;
    for (const frame of arrived) apply(frame);
    await sending;
    await sender.drained();
    expect(receiver.hashes.sum).toBe(sender.hashes.sum);
    expect(refused).toBeNull();
  });

  it('are refused out of order', () => {
    const other = new PageReceiver(core, target);
    const frame = new Uint8Array(Buffer.from(`020301000100000001000000${'00'.repeat(24)}`, 'hex'));
    expect(other.apply(frame)).toMatchObject({ kind: 'refused' });
  });
});
