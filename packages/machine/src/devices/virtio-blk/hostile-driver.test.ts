import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { BlkBench, header } from '../test-support/blk-bench.ts';
import { CountedMemory } from '../test-support/counted-memory.ts';
import { hostileDrivers, playHostileDriver } from '../test-support/hostile-rings.ts';
import { MemoryDisk } from '../test-support/memory-disk.ts';
import { BUFFERS, MEMORY_BYTES, QUEUE_SIZE } from '../test-support/virtio-bench.ts';
import { REQUEST } from './block-request.ts';
import { REQUEST_QUEUE } from './virtio-blk.ts';

describe('a hostile driver of virtio-blk', () => {
  it('with garbage in its rings gets no exception, no byte outside disk and RAM, and only bounded work', () => {
    const memory = new CountedMemory(MEMORY_BYTES);
    const bench = new BlkBench({ disk: new MemoryDisk(8 * 512), memory });
    const requests = fc.record({
      type: fc.oneof(
        { weight: 7, arbitrary: fc.constantFrom(...Object.values(REQUEST)) },
        fc.nat(0xffff_ffff),
      ),
      sector: fc.oneof(
        { weight: 3, arbitrary: fc.bigInt({ min: 0n, max: 9n }) },
        fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
      ),
    });
    fc.assert(
      fc.property(hostileDrivers(1), requests, (driver, { type, sector }) => {
        const garbage = Uint8Array.from([...header(type, sector), ...driver.garbage]);
        memory.accesses = 0;
        playHostileDriver(bench, { ...driver, garbage }, () => {
          expect(memory.accesses).toBeLessThan(QUEUE_SIZE * (QUEUE_SIZE + 2) * 4 + 1000);
          memory.accesses = 0;
        });
        // The strict disk throws at what a device must not ask; that would count as its host's error.
        expect(bench.device.metrics.hostErrors).toBe(0);
      }),
      { numRuns: 400 },
    );
    const { reads, writes, refused } = bench.device.metrics;
    expect(Math.min(reads, writes, refused)).toBeGreaterThan(0);
  });

  it.each([
    ['no header', [{ address: BUFFERS, lengthBytes: 15 }]],
    ['no place for the status', [{ address: BUFFERS, lengthBytes: 528 }]],
    ['nothing to read', [{ address: BUFFERS, lengthBytes: 528, isWritable: true }]],
  ])('needs a reset after a request with %s', (_, spans) => {
    const bench = new BlkBench();
    bench.start();
    bench.queue(REQUEST_QUEUE).offer(spans);
    bench.kick(REQUEST_QUEUE);
    expect(bench.isBroken).toBe(true);
    expect(bench.mmio.metrics.lastReason).toMatch(/without header or place for its status/);
  });

  it('gets an error for a request larger than any disk takes at once', () => {
    const memory = new CountedMemory(4 * 1024 * 1024);
    const bench = new BlkBench({ disk: new MemoryDisk(16 * 1024 * 1024), memory });
    bench.start();
    memory.write(BUFFERS, header(REQUEST.in, 0n));
    bench.queue(REQUEST_QUEUE).offer([
      { address: BUFFERS, lengthBytes: 16 },
      { address: BUFFERS + 0x1000, lengthBytes: 2 * 1024 * 1024 + 512 + 1, isWritable: true },
    ]);
    bench.kick(REQUEST_QUEUE);
    expect(memory.readable(BUFFERS + 0x1000 + 2 * 1024 * 1024 + 512, 1)[0]).toBe(1);
    expect(bench.device.metrics.refused).toBe(1);
  });
});
