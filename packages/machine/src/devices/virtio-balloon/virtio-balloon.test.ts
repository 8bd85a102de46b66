import fc from 'fast-check';
import { beforeEach, describe, expect, it } from 'vitest';
import { MachineError } from '../../machine-error.ts';
import { RAM_BASE_ADDRESS } from '../memory-map.ts';
import { CountedMemory } from '../test-support/counted-memory.ts';
import { hostileDrivers, playHostileDriver } from '../test-support/hostile-rings.ts';
import type { PlainMemory } from '../test-support/plain-memory.ts';
import { BUFFERS, MEMORY_BYTES, QUEUE_SIZE, VirtioBench } from '../test-support/virtio-bench.ts';
import {
  FEATURE_EVENT_INDEX,
  FEATURE_INDIRECT_DESCRIPTORS,
  FEATURE_VERSION_1,
  INTERRUPT_CONFIG_CHANGE,
  REGISTER,
} from '../virtio-mmio/registers.ts';
import {
  DEFLATE_QUEUE,
  FEATURE_DEFLATE_ON_OOM,
  FEATURE_REPORTING,
  INFLATE_QUEUE,
  REPORTING_QUEUE,
  VirtioBalloon,
} from './virtio-balloon.ts';

const features =
  FEATURE_VERSION_1 |
  FEATURE_INDIRECT_DESCRIPTORS |
  FEATURE_EVENT_INDEX |
  FEATURE_DEFLATE_ON_OOM |
  FEATURE_REPORTING;
const pageBytes = 4096;
const ramPages = MEMORY_BYTES / pageBytes;
const firstPage = RAM_BASE_ADDRESS / pageBytes;
const lists = BUFFERS + 0x1000;
/** Pages that no ring or buffer of a test is in. */
const freePage = (BUFFERS + 0x8000) / pageBytes;

class BalloonBench extends VirtioBench<VirtioBalloon> {
  constructor(twin?: BalloonBench, memory?: PlainMemory) {
    super({ attach: (transport) => new VirtioBalloon(transport), queues: 5, features, twin, memory });
  }

  /** Gives up pages, or takes them back, as Linux does: a list of page numbers. */
  list(queue: number, pages: readonly number[]): void {
    for (const [index, page] of pages.entries()) this.memory.write32(lists + index * 4, page);
    this.queue(queue).offer([{ address: lists, lengthBytes: pages.length * 4 }]);
    this.kick(queue);
  }

  report(ranges: readonly { address: number; lengthBytes: number }[], queue = REPORTING_QUEUE): void {
    this.queue(queue).offer(ranges.map((range) => ({ ...range, isWritable: true })));
    this.kick(queue);
  }

  scribble(page: number, count = 1): void {
    this.memory.write(page * pageBytes, new Uint8Array(count * pageBytes).fill(0x5a));
  }

  page(page: number): Uint8Array {
    return this.memory.readable(page * pageBytes, pageBytes).slice();
  }

  get target(): number {
    return this.read(REGISTER.config);
  }
}

const zeros = new Uint8Array(pageBytes);
const scribbled = new Uint8Array(pageBytes).fill(0x5a);
let bench: BalloonBench;

beforeEach(() => {
  bench = new BalloonBench();
  bench.start();
});

describe('virtio-balloon', () => {
  it('asks for as many pages as its host wants, and tells the driver so', () => {
    expect(bench.read(REGISTER.deviceId)).toBe(5);
    expect(bench.target).toBe(0);
    bench.device.setTarget(10);
    expect(bench.target).toBe(10);
    expect(bench.read(REGISTER.interruptStatus)).toBe(INTERRUPT_CONFIG_CHANGE);
    bench.write(REGISTER.interruptAcknowledge, 3);
    bench.device.setTarget(10);
    expect(bench.environment.isInterrupting).toBe(false);
    bench.device.setTarget(1e12);
    expect(bench.target).toBe(ramPages);
  });

  it('keeps what it asks for when its driver starts anew, but not what that one gave', () => {
    bench.device.setTarget(7);
    bench.write(REGISTER.config + 4, 5);
    expect(bench.device.actualPages).toBe(5);
    bench.restart();
    expect([bench.target, bench.device.actualPages]).toEqual([7, 0]);
  });

  it('lets its driver write what it gave up, and nothing else of the configuration', () => {
    bench.write(REGISTER.config, 99);
    bench.mmio.write(REGISTER.config + 5, 1, 1);
    bench.mmio.write(REGISTER.config + 8, 4, 0xffff_ffff);
    expect([bench.target, bench.device.actualPages]).toEqual([0, 256]);
  });

  it('empties pages that are given up, and no others', () => {
    bench.scribble(freePage, 3);
    bench.list(INFLATE_QUEUE, [freePage, freePage + 2]);
    const found = [0, 1, 2].map((index) => bench.page(freePage + index));
    expect(found).toEqual([zeros, scribbled, zeros]);
    expect(bench.queue(INFLATE_QUEUE).takeUsed()).toHaveLength(1);
    expect(bench.environment.isInterrupting).toBe(true);
    expect(bench.device.metrics.inflatedPages).toBe(2);
  });

  it('gives pages back as they are', () => {
    bench.scribble(freePage);
    bench.list(DEFLATE_QUEUE, [freePage]);
    expect(bench.page(freePage)).toEqual(scribbled);
    expect(bench.device.metrics.deflatedPages).toBe(1);
    expect(bench.isBroken).toBe(false);
  });

  it.each([
    ['the fifth queue, where the specification has it', REPORTING_QUEUE],
    ['the third, where drivers have it that count only the queues they use', 2],
  ])('empties ranges that are reported free on %s', (_, queue) => {
    bench.scribble(freePage, 6);
    bench.report(
      [
        { address: freePage * pageBytes, lengthBytes: 2 * pageBytes },
        { address: (freePage + 4) * pageBytes, lengthBytes: pageBytes },
      ],
      queue,
    );
    const found = [0, 1, 2, 3, 4, 5].map((index) => bench.page(freePage + index)[0]);
    expect(found).toEqual([0, 0, 0x5a, 0x5a, 0, 0x5a]);
    expect(bench.device.metrics.reportedBytes).toBe(3 * pageBytes);
    expect(bench.queue(queue).takeUsed()).toHaveLength(1);
  });

  it.each<[string, RegExp, () => void]>([
    ['a page behind the end of RAM', /outside RAM/, () => bench.list(INFLATE_QUEUE, [firstPage + ramPages])],
    ['a page before RAM', /outside RAM/, () => bench.list(DEFLATE_QUEUE, [firstPage - 1])],
    ['the last of all page numbers', /outside RAM/, () => bench.list(INFLATE_QUEUE, [0xffff_ffff])],
    [
      'half a page number',
      /list of pages that is none/,
      () => {
        bench.queue(INFLATE_QUEUE).offer([{ address: lists, lengthBytes: 6 }]);
        bench.kick(INFLATE_QUEUE);
      },
    ],
    [
      'a list for the device to write',
      /list of pages that is none/,
      () => bench.report([{ address: lists, lengthBytes: 8 }], INFLATE_QUEUE),
    ],
    [
      'a report for the device to read',
      /for the device to read/,
      () => {
        bench.queue(REPORTING_QUEUE).offer([{ address: lists, lengthBytes: pageBytes }]);
        bench.kick(REPORTING_QUEUE);
      },
    ],
    [
      'more pages in a list than there are',
      /more pages at a time than there are/,
      () => bench.list(INFLATE_QUEUE, new Array<number>(ramPages + 1).fill(freePage)),
    ],
    [
      'more bytes in one kick than there are',
      /more pages at a time than there are/,
      () => {
        const all = { address: RAM_BASE_ADDRESS + 0xf000, lengthBytes: MEMORY_BYTES - 0xf000 };
        bench.queue(REPORTING_QUEUE).offer([{ ...all, isWritable: true }]);
        bench.report([all]);
      },
    ],
  ])('needs a reset after %s', (_, reason, attack) => {
    attack();
    expect(bench.isBroken).toBe(true);
    expect(bench.mmio.metrics.lastReason).toMatch(reason);
  });
});

describe('a hostile driver of virtio-balloon', () => {
  it('gets no exception and only bounded work', () => {
    const memory = new CountedMemory(MEMORY_BYTES);
    const hostile = new BalloonBench(undefined, memory);
    const right = fc.integer({ min: freePage, max: freePage + 20 });
    const number = fc.oneof({ weight: 50, arbitrary: right }, fc.nat(0xffff_ffff));
    const numbers = fc.array(number, { minLength: 16, maxLength: 32 });
    fc.assert(
      fc.property(hostileDrivers(5), numbers, (driver, pages) => {
        const garbage = new Uint8Array(Uint32Array.from(pages).buffer);
        memory.accesses = 0;
        playHostileDriver(hostile, { ...driver, garbage }, () => {
          expect(memory.accesses).toBeLessThan(QUEUE_SIZE * (QUEUE_SIZE + 2) * 4 + 1000);
          memory.accesses = 0;
        });
      }),
      { numRuns: 300 },
    );
    const { inflatedPages, deflatedPages, reportedBytes } = hostile.device.metrics;
    expect(Math.min(inflatedPages, deflatedPages, reportedBytes)).toBeGreaterThan(0);
  });
});

const action = fc.record({
  type: fc.constantFrom('inflate', 'deflate', 'report', 'target', 'actual', 'scribble'),
  page: fc.integer({ min: freePage, max: freePage + 30 }),
  count: fc.integer({ min: 1, max: 8 }),
});
type Action = typeof action extends fc.Arbitrary<infer T> ? T : never;

function act(on: BalloonBench, { type, page, count }: Action): unknown {
  const pages = Array.from({ length: count }, (_, index) => page + index);
  const last = firstPage + ramPages - page;
  if (type === 'inflate') on.list(INFLATE_QUEUE, pages);
  else if (type === 'deflate') on.list(DEFLATE_QUEUE, pages);
  else if (type === 'report')
    on.report([{ address: page * pageBytes, lengthBytes: Math.min(count, last) * pageBytes }]);
  else if (type === 'target') on.device.setTarget(count);
  else if (type === 'actual') on.write(REGISTER.config + 4, count);
  else on.scribble(page, Math.min(count, last));
  return [
    on.environment.isInterrupting,
    [INFLATE_QUEUE, DEFLATE_QUEUE, REPORTING_QUEUE].map((queue) => on.queue(queue).takeUsed()),
    Object.values(REGISTER).map((register) => on.read(register)),
    on.device.actualPages,
  ];
}

describe('saving a virtio-balloon device', () => {
  it('gives a twin that no guest can tell from the original', () => {
    fc.assert(
      fc.property(
        fc.array(action, { maxLength: 30 }),
        fc.array(action, { minLength: 1, maxLength: 30 }),
        (before, after) => {
          const original = new BalloonBench();
          original.start();
          for (const one of before) act(original, one);
          const twin = new BalloonBench(original);
          for (const one of after) expect(act(twin, one)).toEqual(act(original, one));
          expect(Buffer.compare(twin.memory.bytes, original.memory.bytes)).toBe(0);
          expect(twin.mmio.save()).toEqual(original.mmio.save());
        },
      ),
      { numRuns: 50 },
    );
  });

  it.each([
    ['a target above its memory', { targetPages: ramPages + 1 }],
    ['a target below zero', { targetPages: -1 }],
    ['pages given up that are no number', { actualPages: 'many' }],
    ['a field too many', { more: 1 }],
  ])('refuses %s', (_, change) => {
    const { version, fields } = bench.mmio.save();
    const damaged = {
      version,
      fields: { ...fields, balloon: { ...(fields.balloon as object), ...change } },
    };
    expect(() => new BalloonBench().mmio.restore(damaged)).toThrow(MachineError);
  });
});
