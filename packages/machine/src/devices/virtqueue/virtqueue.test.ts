import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { RAM_BASE_ADDRESS } from '../memory-map.ts';
import { PlainMemory } from '../test-support/plain-memory.ts';
import { type OfferedSpan, QueueDriver } from '../test-support/queue-driver.ts';
import type { DescriptorChain } from './descriptor-chain.ts';
import { type QueueFeatures, Virtqueue } from './virtqueue.ts';

const size = 8;
const buffers = RAM_BASE_ADDRESS + 0x1_0000;
const all: QueueFeatures = { indirectDescriptors: true, eventIndex: true };

function queueWith(features = all): { memory: PlainMemory; driver: QueueDriver; queue: Virtqueue } {
  const memory = new PlainMemory(0x4_0000);
  const driver = new QueueDriver(memory, RAM_BASE_ADDRESS, size);
  const registers = {
    size,
    descriptorAddress: BigInt(driver.descriptorAddress),
    driverAddress: BigInt(driver.driverAddress),
    deviceAddress: BigInt(driver.deviceAddress),
  };
  return { memory, driver, queue: new Virtqueue(memory, registers, features) };
}

function popped(queue: Virtqueue): DescriptorChain {
  const chain = queue.pop();
  if (chain.kind !== 'chain') throw new Error(`no chain: ${chain.kind}`);
  return chain;
}

const plain: OfferedSpan = { address: buffers, lengthBytes: 16 };

describe('a split virtqueue', () => {
  it('gives buffers out in order and takes them back in any, further than its indices count', () => {
    const { driver, queue } = queueWith();
    let moved = 0;
    for (let round = 0; moved < 70_000; round++) {
      const count = 1 + (round % size);
      const heads = Array.from({ length: count }, () => driver.offer([plain]));
      const chains = heads.map(() => popped(queue));
      expect(chains.map(({ head }) => head)).toEqual(heads);
      expect(queue.pop().kind).toBe('empty');
      for (const { head } of chains.reverse()) queue.push(head, round);
      if (driver.takeUsed().length !== count) throw new Error(`round ${round}: not all came back`);
      moved += count;
    }
    expect(driver.freeDescriptors).toBe(size);
  });

  it('walks a chain of direct descriptors and one of an indirect table to the same buffer', () => {
    const spans = fc.array(
      fc.record({
        offset: fc.nat(0x1000),
        lengthBytes: fc.integer({ min: 1, max: 0x1000 }),
        isWritable: fc.boolean(),
      }),
      { minLength: 1, maxLength: size },
    );
    fc.assert(
      fc.property(spans, (list) => {
        const ordered = list
          .map(({ offset, ...rest }) => ({ address: buffers + offset, ...rest }))
          .sort((a, b) => Number(a.isWritable) - Number(b.isWritable));
        const { driver, queue } = queueWith();
        driver.offer(ordered);
        const direct = popped(queue);
        const other = queueWith();
        other.driver.offerIndirect(ordered, buffers + 0x8000);
        const indirect = popped(other.queue);
        const bare = ({ isWritable, ...span }: (typeof ordered)[number]) => span;
        expect(direct.readable).toEqual(ordered.filter((span) => !span.isWritable).map(bare));
        expect(direct.writable).toEqual(ordered.filter((span) => span.isWritable).map(bare));
        expect({ ...indirect, head: 0 }).toEqual({ ...direct, head: 0 });
      }),
    );
  });

  it('has indirect tables only where they were agreed to', () => {
    const { driver, queue } = queueWith({ ...all, indirectDescriptors: false });
    driver.offerIndirect([plain], buffers + 0x8000);
    expect(queue.pop()).toMatchObject({ kind: 'broken', reason: expect.stringMatching(/not negotiated/) });
  });
});

describe('event indices', () => {
  /** Virtio 1.2, "Used Buffer Notification Suppression", as vring_need_event of Linux has it. */
  const needsEvent = (event: number, next: number, before: number): boolean =>
    ((next - event - 1) & 0xffff) < ((next - before) & 0xffff);

  it('interrupt exactly when the index that the driver named was passed, also around the end of the numbers', () => {
    const step = fc.record({ count: fc.nat(size), ahead: fc.integer({ min: -3, max: size }) });
    fc.assert(
      fc.property(fc.nat(0xffff), fc.array(step, { minLength: 1, maxLength: 20 }), (start, steps) => {
        const { driver, queue } = queueWith();
        // As far as if so many buffers had gone round.
        skip(driver, queue, start);
        let used = start & 0xffff;
        for (const { count, ahead } of steps) {
          const event = (used + ahead) & 0xffff;
          driver.setUsedEvent(event);
          for (let index = 0; index < count; index++) {
            driver.offer([plain]);
            queue.push(popped(queue).head, 0);
          }
          const next = (used + count) & 0xffff;
          expect(queue.takeInterruptWanted()).toBe(needsEvent(event, next, used));
          driver.takeUsed();
          used = next;
        }
      }),
      { numRuns: 60 },
    );
  });

  it('ask for a notification of the next buffer, or of none before all have gone round', () => {
    const { driver, queue } = queueWith();
    driver.offer([plain]);
    popped(queue);
    queue.wantNotification();
    expect(driver.availableEvent()).toBe(1);
    queue.refuseNotifications();
    expect(driver.availableEvent()).toBe(0);
  });

  it('are flags where they were not agreed to', () => {
    const { driver, queue } = queueWith({ ...all, eventIndex: false });
    queue.refuseNotifications();
    expect(driver.usedFlags()).toBe(1);
    queue.wantNotification();
    expect(driver.usedFlags()).toBe(0);
    driver.setNoInterrupt(true);
    driver.offer([plain]);
    queue.push(popped(queue).head, 0);
    expect(queue.takeInterruptWanted()).toBe(false);
    driver.setNoInterrupt(false);
    driver.offer([plain]);
    queue.push(popped(queue).head, 0);
    expect(queue.takeInterruptWanted()).toBe(true);
    expect(queue.takeInterruptWanted()).toBe(false);
  });

  function skip(driver: QueueDriver, queue: Virtqueue, count: number): void {
    for (let done = 0; done < count; done++) {
      driver.offer([plain]);
      queue.push(popped(queue).head, 0);
      driver.takeUsed();
    }
    queue.takeInterruptWanted();
  }
});
