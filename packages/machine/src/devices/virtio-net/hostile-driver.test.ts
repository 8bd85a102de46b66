/**
 * Drivers that break the rules: whatever is in the rings, no call throws or reaches outside RAM (the bench's memory
 * throws), each ends after bounded work, and a broken rule ends in DEVICE_NEEDS_RESET.
 */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { RAM_BASE_ADDRESS } from '../memory-map.ts';
import { CountedMemory } from '../test-support/counted-memory.ts';
import { BUFFERS, MEMORY_BYTES, NetBench, QUEUE_SIZE, testFrame } from '../test-support/net-bench.ts';
import { INDIRECT, NEXT, WRITE, writeDescriptorAt } from '../test-support/queue-driver.ts';
import { REGISTER, STATUS } from '../virtio-mmio/registers.ts';
import { DESCRIPTOR_BYTES } from '../virtqueue/descriptor-chain.ts';
import { CONTROL_QUEUE, RECEIVE_QUEUE, TRANSMIT_QUEUE } from './virtio-net.ts';

const TABLE = BUFFERS + 0x4000;

function started(): NetBench {
  const bench = new NetBench();
  bench.start();
  return bench;
}

/** Offers descriptor 0 as the transmit queue's next chain and kicks. */
function transmitHead0(bench: NetBench): void {
  bench.queue(TRANSMIT_QUEUE).makeAvailable(0);
  bench.kick(TRANSMIT_QUEUE);
}

describe('a device needs a reset after', () => {
  it.each<[string, RegExp, (bench: NetBench) => void]>([
    [
      'a chain that loops',
      /or loops/,
      (bench) => {
        const queue = bench.queue(TRANSMIT_QUEUE);
        queue.writeDescriptor(0, BUFFERS, 16, NEXT, 1);
        queue.writeDescriptor(1, BUFFERS, 16, NEXT, 0);
        transmitHead0(bench);
      },
    ],
    [
      'a next index outside the table',
      /descriptor 16 is outside a table of 16/,
      (bench) => {
        bench.queue(TRANSMIT_QUEUE).writeDescriptor(0, BUFFERS, 16, NEXT, QUEUE_SIZE);
        transmitHead0(bench);
      },
    ],
    [
      'a head outside the table',
      /descriptor 16 is outside a table of 16/,
      (bench) => {
        bench.queue(TRANSMIT_QUEUE).makeAvailable(QUEUE_SIZE);
        bench.kick(TRANSMIT_QUEUE);
      },
    ],
    [
      'more buffers available than the queue holds',
      /17 buffers available/,
      (bench) => {
        bench.queue(TRANSMIT_QUEUE).setAvailableIndex(QUEUE_SIZE + 1);
        bench.kick(TRANSMIT_QUEUE);
      },
    ],
    [
      'a buffer that begins below RAM',
      /a buffer outside RAM/,
      (bench) => {
        bench.queue(TRANSMIT_QUEUE).writeDescriptor(0, RAM_BASE_ADDRESS - 8, 64, 0, 0);
        transmitHead0(bench);
      },
    ],
    [
      'a buffer over device registers',
      /a buffer outside RAM/,
      (bench) => {
        bench.queue(RECEIVE_QUEUE).writeDescriptor(0, 0x1000_1000, 0x1000, WRITE, 0);
        bench.queue(RECEIVE_QUEUE).makeAvailable(0);
        bench.net.receive(testFrame(60));
      },
    ],
    [
      'a buffer that ends outside RAM',
      /a buffer outside RAM/,
      (bench) => {
        bench.queue(TRANSMIT_QUEUE).writeDescriptor(0, BUFFERS, 0xffff_ffff, 0, 0);
        transmitHead0(bench);
      },
    ],
    [
      'a buffer of zero length',
      /zero length/,
      (bench) => {
        bench.queue(TRANSMIT_QUEUE).writeDescriptor(0, BUFFERS, 0, 0, 0);
        transmitHead0(bench);
      },
    ],
    [
      'a readable descriptor behind a writable one',
      /readable descriptor after/,
      (bench) => {
        const queue = bench.queue(TRANSMIT_QUEUE);
        queue.writeDescriptor(0, BUFFERS, 16, NEXT | WRITE, 1);
        queue.writeDescriptor(1, BUFFERS, 16, 0, 0);
        transmitHead0(bench);
      },
    ],
    [
      'an indirect table inside an indirect table',
      /inside an indirect table/,
      (bench) => {
        bench.queue(TRANSMIT_QUEUE).writeDescriptor(0, TABLE, DESCRIPTOR_BYTES, INDIRECT, 0);
        writeDescriptorAt(bench.memory, TABLE, 0, TABLE, DESCRIPTOR_BYTES, INDIRECT, 0);
        transmitHead0(bench);
      },
    ],
    [
      'an indirect table of an odd length',
      /table of 17 bytes/,
      (bench) => {
        bench.queue(TRANSMIT_QUEUE).writeDescriptor(0, TABLE, DESCRIPTOR_BYTES + 1, INDIRECT, 0);
        transmitHead0(bench);
      },
    ],
    [
      'an indirect table outside RAM',
      /table outside RAM/,
      (bench) => {
        bench.queue(TRANSMIT_QUEUE).writeDescriptor(0, 0, DESCRIPTOR_BYTES, INDIRECT, 0);
        transmitHead0(bench);
      },
    ],
    [
      'an indirect descriptor with a successor',
      /with a successor/,
      (bench) => {
        bench.queue(TRANSMIT_QUEUE).writeDescriptor(0, TABLE, DESCRIPTOR_BYTES, INDIRECT | NEXT, 1);
        transmitHead0(bench);
      },
    ],
    [
      'an indirect chain longer than the queue',
      /longer than its queue/,
      (bench) => {
        const entries = 4 * QUEUE_SIZE;
        bench.queue(TRANSMIT_QUEUE).writeDescriptor(0, TABLE, entries * DESCRIPTOR_BYTES, INDIRECT, 0);
        for (let i = 0; i < entries; i++) writeDescriptorAt(bench.memory, TABLE, i, BUFFERS, 1, NEXT, i + 1);
        transmitHead0(bench);
      },
    ],
    [
      'a control command without room for its answer',
      /place for its answer/,
      (bench) => {
        bench.queue(CONTROL_QUEUE).offer([{ address: BUFFERS, lengthBytes: 2 }]);
        bench.kick(CONTROL_QUEUE);
      },
    ],
  ])('%s', (_title, reason, attack) => {
    const memory = new CountedMemory(MEMORY_BYTES);
    const bench = new NetBench(undefined, memory);
    bench.start();
    memory.accesses = 0;
    attack(bench);
    expect(bench.isBroken).toBe(true);
    expect(bench.mmio.metrics.lastReason).toMatch(reason);
    // The driver's own writes are counted too.
    expect(memory.accesses).toBeLessThan(8 * QUEUE_SIZE);
    expect(bench.mmio.metrics.needsReset).toBe(1);
    expect(bench.environment.frames()).toEqual([]);
    expect(bench.environment.isInterrupting).toBe(true);
    bench.restart();
    bench.offerFrame(testFrame(60), BUFFERS);
    bench.kick(TRANSMIT_QUEUE);
    expect(bench.environment.frames()).toEqual([testFrame(60)]);
  });
});

describe('a hostile driver', () => {
  it('with garbage in its rings gets no exception and only bounded work', () => {
    const memory = new CountedMemory(MEMORY_BYTES);
    const bench = new NetBench(undefined, memory);
    const descriptor = fc.record({
      queue: fc.nat({ max: 2 }),
      index: fc.nat({ max: QUEUE_SIZE - 1 }),
      address: fc.oneof(
        fc.integer({ min: BUFFERS, max: BUFFERS + 0x2_0000 }),
        fc.constantFrom(0, 0x1000_0000, RAM_BASE_ADDRESS - 1, RAM_BASE_ADDRESS + 0x3_ffff, 2 ** 52),
      ),
      lengthBytes: fc.oneof(fc.nat({ max: 0x800 }), fc.constantFrom(0, 16, 32, 0x1_0000, 0xffff_ffff)),
      flags: fc.oneof(fc.nat({ max: 7 }), fc.nat({ max: 0xffff })),
      next: fc.nat({ max: QUEUE_SIZE + 1 }),
    });
    const step = fc.oneof(
      fc.record({
        type: fc.constant('offer' as const),
        queue: fc.nat({ max: 2 }),
        head: fc.nat({ max: 17 }),
      }),
      fc.record({ type: fc.constant('kick' as const), queue: fc.nat({ max: 3 }) }),
      fc.record({ type: fc.constant('receive' as const), lengthBytes: fc.nat({ max: 1600 }) }),
    );
    fc.assert(
      fc.property(
        fc.array(descriptor, { minLength: 4, maxLength: 40 }),
        fc.array(step, { minLength: 4, maxLength: 40 }),
        fc.uint8Array({ minLength: 0, maxLength: 64 }),
        (descriptors, steps, garbage) => {
          bench.restart();
          memory.write(BUFFERS, garbage);
          for (const d of descriptors) {
            bench.queue(d.queue).writeDescriptor(d.index, d.address, d.lengthBytes, d.flags, d.next);
          }
          for (const one of steps) {
            memory.accesses = 0;
            if (one.type === 'offer') bench.queue(one.queue).makeAvailable(one.head);
            else if (one.type === 'kick') bench.kick(one.queue);
            else bench.net.receive(testFrame(one.lengthBytes));
            // Each of at most 16 chains reads at most 17 descriptors, twice 16 bits each, and writes as many spans.
            expect(memory.accesses).toBeLessThan(16 * 17 * 4);
          }
          const isLive = (bench.read(REGISTER.status) & STATUS.needsReset) === 0;
          expect(bench.mmio.isLive()).toBe(isLive);
        },
      ),
      { numRuns: 300 },
    );
  });

  it('that writes anything into any register gets no exception', () => {
    const access = fc.tuple(
      fc.nat({ max: 0xfff }),
      fc.constantFrom(1, 2, 4),
      fc.oneof(
        fc.nat({ max: 0xffff_ffff }),
        fc.constantFrom(0, 1, 3, 0xb, 0xf, RAM_BASE_ADDRESS, 0xffff_ffff),
      ),
    );
    const anyRegister = fc.constantFrom(...Object.values(REGISTER));
    const likely = fc.tuple(
      anyRegister,
      fc.constant(4),
      access.map(([, , value]) => value),
    );
    fc.assert(
      fc.property(
        fc.array(fc.oneof(access, likely), { maxLength: 80 }),
        fc.boolean(),
        (accesses, isStarted) => {
          const bench = isStarted ? started() : new NetBench();
          for (const [offset, size, value] of accesses) {
            expect(bench.mmio.write(offset, size, value)).toBe(true);
            bench.mmio.process();
            const read = bench.mmio.read(offset, size) ?? -1;
            expect(read).toBeGreaterThanOrEqual(0);
            expect(read).toBeLessThan(2 ** (8 * size));
          }
          bench.net.receive(testFrame(60));
          bench.mmio.save();
        },
      ),
      { numRuns: 200 },
    );
  });
});
