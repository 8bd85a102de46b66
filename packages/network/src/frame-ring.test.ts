import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Doorbell } from './doorbell.ts';
import { FrameRing, ringFrameBytesMax } from './frame-ring.ts';
import { numberedFrame, type ProducerTask } from './testing/ring-producer.ts';

const capacityBytes = 4096;

describe('as a queue', () => {
  it('it hands over what fits, in order, and drops and counts what does not', () => {
    const actions = fc.array(
      fc.oneof(
        { weight: 3, arbitrary: fc.nat(1600).map((length) => ({ kind: 'push' as const, length })) },
        { weight: 2, arbitrary: fc.constant({ kind: 'pop' as const }) },
      ),
      { maxLength: 200 },
    );
    fc.assert(
      fc.property(actions, (played) => {
        const ring = FrameRing.create({ capacityBytes });
        const model: Uint8Array[] = [];
        let [dropped, used, serial] = [0, 0, 0];
        for (const action of played) {
          if (action.kind === 'pop') {
            const expected = model.shift();
            if (expected !== undefined) used -= recordBytes(expected);
            const popped = ring.pop();
            expect(popped === null ? undefined : Buffer.from(popped).toString('hex')).toBe(
              expected === undefined ? undefined : Buffer.from(expected).toString('hex'),
            );
            continue;
          }
          serial += 1;
          const frame = new Uint8Array(action.length).fill(serial);
          const fits = used + recordBytes(frame) <= capacityBytes;
          expect(ring.push(frame)).toBe(fits);
          if (fits) {
            model.push(frame);
            used += recordBytes(frame);
          } else dropped += 1;
        }
        expect([ring.dropped, ring.corruptions, ring.isEmpty]).toEqual([dropped, 0, model.length === 0]);
      }),
    );
  });

  it('it goes on when its positions pass 2^32', () => {
    const ring = FrameRing.create({ capacityBytes });
    const words = new Int32Array(ring.handle.buffer);
    for (const word of [16, 32]) words[word] = -2048;
    for (let index = 0; index < 50; index += 1) {
      expect(ring.push(numberedFrame(index))).toBe(true);
      expect(ring.pop()).toEqual(numberedFrame(index));
    }
    expect(words[16]).toBeGreaterThan(0);
  });

  it('it takes a frame no larger than any device hands over', () => {
    const ring = FrameRing.create({ capacityBytes: 1024 * 1024 });
    expect(ring.push(new Uint8Array(ringFrameBytesMax))).toBe(true);
    expect(ring.push(new Uint8Array(ringFrameBytesMax + 1))).toBe(false);
    expect(ring.dropped).toBe(1);
  });

  it('drain stops at its limit', () => {
    const ring = FrameRing.create({ capacityBytes });
    for (let index = 0; index < 5; index += 1) ring.push(Uint8Array.of(index));
    const got: number[] = [];
    expect(ring.drain(3, (frame) => got.push(frame[0] ?? -1))).toBe(3);
    expect(ring.drain(3, (frame) => got.push(frame[0] ?? -1))).toBe(2);
    expect(got).toEqual([0, 1, 2, 3, 4]);
  });
});

describe('between threads', () => {
  it('every frame that a worker pushed arrives once, whole and in order', async () => {
    const frames = 20_000;
    const ring = FrameRing.create({ capacityBytes: 16_384 });
    const task: ProducerTask = { handle: ring.handle, frames };
    const worker = new Worker(new URL('./testing/ring-producer.ts', import.meta.url), { workerData: task });
    const reported = once(worker, 'message');
    for (let expected = 0; expected < frames; ) {
      const seen = ring.doorbell.value();
      const count = ring.drain(64, (frame) => {
        const right = numberedFrame(expected);
        if (Buffer.compare(frame, right) !== 0) expect(frame).toEqual(right); // the slow way only to report
        expected += 1;
      });
      if (count === 0 && !(await ring.doorbell.waitAsync(seen, 10_000))) {
        expect(ring.isEmpty, 'the doorbell rings for each frame').toBe(true);
      }
    }
    const [{ refused }] = (await reported) as [{ refused: number }];
    expect(ring.dropped).toBe(refused);
    expect(ring.corruptions).toBe(0);
    await worker.terminate();
  });

  it('one doorbell serves many rings, and a ring before the wait is not lost', async () => {
    const doorbell = Doorbell.create();
    const rings = [1, 2, 3].map(() => FrameRing.create({ capacityBytes, doorbell }));
    const seen = doorbell.value();
    rings[1]?.push(Uint8Array.of(1));
    expect(await doorbell.waitAsync(seen, 10_000)).toBe(true);
    expect(await doorbell.waitAsync(doorbell.value(), 1)).toBe(false);
    const attached = FrameRing.attach(rings[2]?.handle ?? rings[0]?.handle ?? neverHandle());
    const waiting = doorbell.waitAsync(doorbell.value(), 10_000);
    attached.push(Uint8Array.of(2));
    expect(await waiting).toBe(true);
  });
});

describe('when the other side writes garbage', () => {
  it('the consumer neither throws nor loops, discards what is queued, and goes on', () => {
    const scribbles = fc.array(fc.tuple(fc.integer({ min: 16, max: 64 + 1023 }), fc.integer()), {
      maxLength: 8,
    });
    fc.assert(
      fc.property(scribbles, fc.nat(6), (written, pushed) => {
        const ring = FrameRing.create({ capacityBytes });
        for (let index = 0; index < pushed; index += 1) ring.push(numberedFrame(index));
        const words = new Int32Array(ring.handle.buffer);
        for (const [word, value] of written) words[word] = value;
        // Records take at least 4 bytes, so that many pops empty any state.
        for (let pops = 0; pops <= capacityBytes / 4 && !ring.isEmpty; pops += 1) {
          expect(ring.pop()?.length ?? 0).toBeLessThanOrEqual(capacityBytes);
        }
        expect(ring.isEmpty).toBe(true);
        ring.push(numberedFrame(3));
        ring.pop();
      }),
    );
  });

  it('an impossible length is counted as a corruption', () => {
    const ring = FrameRing.create({ capacityBytes });
    ring.push(new Uint8Array(60));
    ring.push(new Uint8Array(60));
    new Int32Array(ring.handle.buffer, 256)[0] = 4000;
    expect(ring.pop()).toBeNull();
    expect([ring.corruptions, ring.isEmpty]).toEqual([1, true]);
    ring.push(Uint8Array.of(5));
    expect(ring.pop()).toEqual(Uint8Array.of(5));
  });

  it('a buffer that is no ring is not attached', () => {
    const doorbell = { buffer: new SharedArrayBuffer(4), byteOffset: 0 };
    for (const buffer of [new SharedArrayBuffer(0), new SharedArrayBuffer(256 + capacityBytes)]) {
      expect(() => FrameRing.attach({ buffer, doorbell })).toThrow('invariant');
    }
    const ring = FrameRing.create({ capacityBytes });
    new Int32Array(ring.handle.buffer)[1] = 2 * capacityBytes;
    expect(() => FrameRing.attach(ring.handle)).toThrow('frame ring');
    expect(() => FrameRing.create({ capacityBytes: 5000 })).toThrow('power of two');
  });
});

function recordBytes(frame: Uint8Array): number {
  return 4 + Math.ceil(frame.length / 4) * 4;
}

function neverHandle(): never {
  throw new Error('three rings were made');
}
