import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { MachineError } from '../../machine-error.ts';
import { CountedMemory } from '../test-support/counted-memory.ts';
import { hostileDrivers, playHostileDriver } from '../test-support/hostile-rings.ts';
import type { PlainMemory } from '../test-support/plain-memory.ts';
import { BUFFERS, MEMORY_BYTES, QUEUE_SIZE, VirtioBench } from '../test-support/virtio-bench.ts';
import {
  FEATURE_EVENT_INDEX,
  FEATURE_INDIRECT_DESCRIPTORS,
  FEATURE_VERSION_1,
  REGISTER,
} from '../virtio-mmio/registers.ts';
import { RANDOM_BYTES_PER_REQUEST_MAX, REQUEST_QUEUE, VirtioRng } from './virtio-rng.ts';

const features = FEATURE_VERSION_1 | FEATURE_INDIRECT_DESCRIPTORS | FEATURE_EVENT_INDEX;
const seedOf = (byte: number): Uint8Array => new Uint8Array(32).fill(byte);

class RngBench extends VirtioBench<VirtioRng> {
  constructor(seed = seedOf(1), twin?: RngBench, memory?: PlainMemory) {
    super({ attach: (transport) => new VirtioRng(transport, seed), queues: 1, features, twin, memory });
  }

  /** Asks for random bytes as a driver does; returns those that came. */
  draw(lengthBytes: number): Uint8Array {
    this.queue(REQUEST_QUEUE).offer([{ address: BUFFERS, lengthBytes, isWritable: true }]);
    this.kick(REQUEST_QUEUE);
    const [used] = this.queue(REQUEST_QUEUE).takeUsed();
    return this.memory.readable(BUFFERS, used?.writtenBytes ?? 0).slice();
  }
}

function started(seed?: Uint8Array): RngBench {
  const bench = new RngBench(seed);
  bench.start();
  return bench;
}

describe('virtio-rng', () => {
  it('is an entropy device without features or configuration of its own', () => {
    const bench = new RngBench();
    expect(bench.read(REGISTER.deviceId)).toBe(4);
    expect(bench.read(REGISTER.config)).toBe(0);
  });

  it('fills buffers in order and interrupts', () => {
    const bench = started();
    const queue = bench.queue(REQUEST_QUEUE);
    const heads = [16, 64].map((lengthBytes, i) =>
      queue.offer([{ address: BUFFERS + i * 0x100, lengthBytes, isWritable: true }]),
    );
    bench.kick(REQUEST_QUEUE);
    expect(queue.takeUsed()).toEqual([
      { head: heads[0], writtenBytes: 16 },
      { head: heads[1], writtenBytes: 64 },
    ]);
    expect(bench.environment.isInterrupting).toBe(true);
    expect(bench.device.metrics).toEqual({ requests: 2, randomBytes: 80 });
  });

  it('gives the same bytes for the same seed and requests, and others for another seed', () => {
    const lengths = [64, 1, 64, 200];
    const drawn = [seedOf(1), seedOf(1), seedOf(2)].map((seed) => {
      const bench = started(seed);
      return lengths.map((length) => Buffer.from(bench.draw(length)).toString('hex'));
    });
    expect(drawn[0]).toEqual(drawn[1]);
    expect(drawn[2]).not.toEqual(drawn[0]);
    expect(new Set(drawn.flat()).size).toBeGreaterThanOrEqual(7);
  });

  it('never gives a byte stream again, also not to a driver that starts anew', () => {
    const bench = started();
    const first = bench.draw(64);
    bench.restart();
    expect(bench.draw(64)).not.toEqual(first);
  });

  it('keeps no key of which what was drawn before follows', () => {
    const bench = started();
    const before = bench.device.save().key;
    const drawn = bench.draw(64);
    const { key } = bench.device.save();
    expect(key).not.toEqual(before);
    const later = new RngBench(key);
    later.start();
    expect(later.draw(64)).not.toEqual(drawn);
    expect(Buffer.from(drawn).includes(Buffer.from(key))).toBe(false);
  });

  it('fills a large buffer as far as one request goes', () => {
    expect(started().draw(0x4000)).toHaveLength(RANDOM_BYTES_PER_REQUEST_MAX);
  });

  it.each([
    ['for the device to read', [{ address: BUFFERS, lengthBytes: 64 }]],
    [
      'partly for the device to read',
      [
        { address: BUFFERS, lengthBytes: 8 },
        { address: BUFFERS + 8, lengthBytes: 64, isWritable: true },
      ],
    ],
  ])('needs a reset after a buffer %s', (_, spans) => {
    const bench = started();
    bench.queue(REQUEST_QUEUE).offer(spans);
    bench.kick(REQUEST_QUEUE);
    expect(bench.isBroken).toBe(true);
    expect(bench.mmio.metrics.lastReason).toMatch(/not for the device to write/);
  });
});

describe('a hostile driver of virtio-rng', () => {
  it('gets no exception and only bounded work', () => {
    const memory = new CountedMemory(MEMORY_BYTES);
    const bench = new RngBench(seedOf(3), undefined, memory);
    fc.assert(
      fc.property(hostileDrivers(1), (driver) => {
        playHostileDriver(bench, driver, () => {
          expect(memory.accesses).toBeLessThan(QUEUE_SIZE * (QUEUE_SIZE + 1) * 4 + 1000);
          memory.accesses = 0;
        });
      }),
      { numRuns: 200 },
    );
  });
});

describe('saving a virtio-rng device', () => {
  it('gives a twin that goes on with the same numbers', () => {
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: 1, max: 2000 }), { maxLength: 12 }),
        fc.array(fc.integer({ min: 1, max: 2000 }), { minLength: 1, maxLength: 12 }),
        (before, after) => {
          const original = started();
          for (const length of before) original.draw(length);
          const twin = new RngBench(seedOf(9), original);
          for (const length of after) expect(twin.draw(length)).toEqual(original.draw(length));
          expect(twin.mmio.save()).toEqual(original.mmio.save());
          expect(Buffer.compare(twin.memory.bytes, original.memory.bytes)).toBe(0);
        },
      ),
      { numRuns: 50 },
    );
  });

  it.each([
    ['a short key', { key: new Uint8Array(31) }],
    ['a key that is no bytes', { key: 5 }],
    ['a field too many', { more: 1 }],
  ])('refuses %s', (_, change) => {
    const { version, fields } = started().mmio.save();
    const damaged = { version, fields: { ...fields, rng: { ...(fields.rng as object), ...change } } };
    expect(() => new RngBench().mmio.restore(damaged)).toThrow(MachineError);
  });
});
