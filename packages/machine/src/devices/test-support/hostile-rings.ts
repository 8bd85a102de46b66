/** Drivers that put anything into their rings, for tests of any kind of virtio device. */
import fc from 'fast-check';
import { RAM_BASE_ADDRESS } from '../memory-map.ts';
import type { VirtioDevice } from '../virtio-mmio/virtio-device.ts';
import type { OfferedSpan } from './queue-driver.ts';
import { BUFFERS, MEMORY_BYTES, QUEUE_SIZE, type VirtioBench } from './virtio-bench.ts';

interface HostileDescriptor {
  readonly queue: number;
  readonly index: number;
  readonly address: number;
  readonly lengthBytes: number;
  readonly flags: number;
  readonly next: number;
}

type HostileStep =
  | { readonly type: 'offer'; readonly queue: number; readonly head: number }
  | { readonly type: 'chain'; readonly queue: number; readonly spans: readonly OfferedSpan[] }
  | { readonly type: 'kick'; readonly queue: number };

export interface HostileDriver {
  readonly descriptors: readonly HostileDescriptor[];
  readonly steps: readonly HostileStep[];
  /** In the area that most descriptors point to. */
  readonly garbage: Uint8Array;
}

/** Descriptors and heads that are right now and then, for a device with so many queues. */
export function hostileDrivers(queues: number): fc.Arbitrary<HostileDriver> {
  const queue = fc.nat({ max: queues - 1 });
  const descriptor = fc.record({
    queue,
    index: fc.nat({ max: QUEUE_SIZE - 1 }),
    address: fc.oneof(
      fc.integer({ min: BUFFERS, max: RAM_BASE_ADDRESS + MEMORY_BYTES - 0x1_0000 }),
      fc.constantFrom(
        BUFFERS,
        0,
        0x1000_0000,
        RAM_BASE_ADDRESS - 1,
        RAM_BASE_ADDRESS + MEMORY_BYTES - 1,
        2 ** 52,
      ),
    ),
    lengthBytes: fc.oneof(fc.nat({ max: 0x800 }), fc.constantFrom(0, 1, 16, 32, 512, 0x1_0000, 0xffff_ffff)),
    flags: fc.oneof(fc.constantFrom(0, 1, 2, 3), fc.nat({ max: 7 }), fc.nat({ max: 0xffff })),
    next: fc.nat({ max: QUEUE_SIZE + 1 }),
  });
  // Well-formed chains that begin with the garbage, so that many get beyond the rings' own checks.
  const span = fc.record({
    address: fc.constantFrom(BUFFERS, BUFFERS + 0x1000, BUFFERS + 0x1003, BUFFERS + 0x2000),
    lengthBytes: fc.oneof(
      fc.integer({ min: 1, max: 0x800 }),
      fc.constantFrom(1, 2, 4, 12, 16, 512, 1024, 4096),
    ),
    isWritable: fc.constantFrom(true, true, false),
  });
  const answer = fc.record({
    address: fc.constant(BUFFERS + 0x3000),
    lengthBytes: fc.constantFrom(1, 2, 513, 1025),
    isWritable: fc.constant(true),
  });
  const request = fc
    .tuple(
      fc.constantFrom(8, 16, 16, 16, 528, 1040),
      fc.array(span, { maxLength: 2 }),
      fc.option(answer, { freq: 8, nil: undefined }),
    )
    .map(([lengthBytes, spans, last]) => [
      { address: BUFFERS, lengthBytes, isWritable: false },
      ...spans.filter(({ isWritable }) => !isWritable),
      ...spans.filter(({ isWritable }) => isWritable),
      ...(last === undefined ? [] : [last]),
    ]);
  const oneWay = fc
    .tuple(fc.constantFrom(4, 8, 64), fc.array(span, { maxLength: 2 }), fc.boolean())
    .map(([lengthBytes, spans, isWritable]) =>
      [{ address: BUFFERS, lengthBytes }, ...spans].map((one) => ({ ...one, isWritable })),
    );
  const chain = fc.oneof(request, oneWay);
  const step = fc.oneof(
    fc.record({ type: fc.constant('offer' as const), queue, head: fc.nat({ max: QUEUE_SIZE + 1 }) }),
    { weight: 4, arbitrary: fc.record({ type: fc.constant('chain' as const), queue, spans: chain }) },
    fc.record({ type: fc.constant('kick' as const), queue: fc.nat({ max: queues }) }),
  );
  return fc.record({
    descriptors: fc.array(descriptor, { maxLength: 40 }),
    steps: fc.array(step, { minLength: 4, maxLength: 40 }),
    garbage: fc.uint8Array({ minLength: 0, maxLength: 128 }),
  });
}

/** A device whose driver starts well and then does this; `after` is called behind each step. */
export function playHostileDriver(
  bench: VirtioBench<VirtioDevice>,
  { descriptors, steps, garbage }: HostileDriver,
  after: () => void = () => {},
): void {
  bench.restart();
  bench.memory.write(BUFFERS, garbage);
  for (const { queue, index, address, lengthBytes, flags, next } of descriptors) {
    bench.queue(queue).writeDescriptor(index, address, lengthBytes, flags, next);
  }
  for (const step of steps) {
    if (step.type === 'kick') bench.kick(step.queue);
    else if (step.type === 'offer') bench.queue(step.queue).makeAvailable(step.head);
    else if (bench.queue(step.queue).freeDescriptors >= step.spans.length) {
      bench.queue(step.queue).offer(step.spans);
      bench.kick(step.queue);
    }
    after();
  }
}
