import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  areChecksumsRight,
  type BuiltPacket,
  type PacketOptions,
  packet,
  withoutChecksum,
} from '../test-support/ip-frame.ts';
import { ALL_FEATURES, BUFFERS, NetBench, testFrame } from '../test-support/net-bench.ts';
import {
  FEATURE_CHECKSUM,
  FEATURE_GUEST_CHECKSUM,
  FEATURE_HOST_TSO4,
  FRAME_BYTES_MAX,
  TRANSMIT_QUEUE,
} from './virtio-net.ts';

const NEEDS_CHECKSUM = 1;
const TCP4 = 1;

function header(
  fields: Partial<Record<'flags' | 'type' | 'segmentBytes' | 'start' | 'offset', number>>,
): Uint8Array {
  const bytes: Uint8Array = new Uint8Array(12);
  const view = new DataView(bytes.buffer);
  view.setUint8(0, fields.flags ?? NEEDS_CHECKSUM);
  view.setUint8(1, fields.type ?? 0);
  view.setUint16(4, fields.segmentBytes ?? 0, true);
  view.setUint16(6, fields.start ?? 0, true);
  view.setUint16(8, fields.offset ?? 16, true);
  return bytes;
}

/** What the device sends of one packet. */
function sent(frame: Uint8Array, head: Uint8Array, features = ALL_FEATURES): Uint8Array[] {
  const bench = new NetBench();
  bench.start(features);
  bench.offerFrame(frame, BUFFERS, true, head);
  bench.kick(TRANSMIT_QUEUE);
  expect(bench.queue(TRANSMIT_QUEUE).takeUsed()).toHaveLength(1);
  expect(bench.isBroken).toBe(false);
  const frames = bench.environment.frames();
  expect(bench.net.metrics.transmitDropped).toBe(frames.length === 0 ? 1 : 0);
  return frames;
}

const data = (min: number, max: number) => fc.uint8Array({ minLength: min, maxLength: max });
const shape = fc.record({
  isTagged: fc.boolean(),
  ipOptions: fc.nat(3),
  tcpOptions: fc.nat(4),
  sequence: fc.nat(0xffff_ffff),
  identification: fc.nat(0xffff),
});

describe('virtio-net completes a checksum', () => {
  it('of TCP and UDP, whatever they carry', () => {
    const protocol = fc.constantFrom('tcp' as const, 'udp' as const);
    fc.assert(
      fc.property(shape, protocol, data(0, 1400), (options, kind, bytes) => {
        const built = packet({ ...options, protocol: kind, data: bytes });
        const offset = kind === 'tcp' ? 16 : 6;
        const head = header({ start: built.transportOffset, offset });
        const [frame = new Uint8Array(0)] = sent(withoutChecksum(built), head);
        expect(areChecksumsRight({ ...built, frame })).toBe(true);
        expect(frame.subarray(0, built.transportOffset + offset)).toEqual(
          built.frame.subarray(0, built.transportOffset + offset),
        );
        expect(frame.subarray(built.dataOffset)).toEqual(bytes);
      }),
      { numRuns: 60 },
    );
  });

  it('as all ones where it is zero, which to UDP would mean that there is none', () => {
    // Two words that add up to all ones with the sum that stands in the field.
    const frame = Uint8Array.from([...new Uint8Array(14), 0x12, 0x34, 0xed, 0xcb]);
    const [done] = sent(frame, header({ start: 14, offset: 2 }));
    expect([done?.[16], done?.[17]]).toEqual([0xff, 0xff]);
  });

  it('nowhere else than in the frame: it is dropped', () => {
    const frame = testFrame(60);
    expect(sent(frame, header({ start: 58, offset: 1 }))).toEqual([]);
    expect(sent(frame, header({ start: 0xffff, offset: 0xffff }))).toEqual([]);
    expect(sent(frame, header({ start: 57, offset: 1 }))).toHaveLength(1);
  });

  it('for no driver that did not agree to it', () => {
    const features = ALL_FEATURES & ~FEATURE_CHECKSUM & ~FEATURE_HOST_TSO4;
    expect(sent(testFrame(60), header({ start: 20 }), features)).toEqual([]);
    expect(sent(testFrame(60), header({ flags: 0 }), features)).toEqual([testFrame(60)]);
  });
});

/** A segment, taken apart again where the packet that it is of was put together. */
function like({ ipOffset, transportOffset, dataOffset }: BuiltPacket, frame: Uint8Array): BuiltPacket {
  return { frame, ipOffset, transportOffset, dataOffset };
}

describe('virtio-net cuts a large TCP packet', () => {
  it('into frames of at most the MTU that together carry what it carried, in order and with right checksums', () => {
    fc.assert(
      fc.property(
        shape,
        data(0, 20_000),
        fc.integer({ min: 200, max: 1400 }),
        (options, bytes, segmentBytes) => {
          const tcpFlags = 0x80 | 0x10 | 0x08 | 0x01;
          const built = packet({ ...options, protocol: 'tcp', data: bytes, tcpFlags });
          const head = header({ type: TCP4, segmentBytes, start: built.transportOffset });
          const frames = sent(withoutChecksum(built), head);
          expect(frames).toHaveLength(Math.max(1, Math.ceil(bytes.length / segmentBytes)));
          const joined = Buffer.concat(frames.map((frame) => frame.subarray(built.dataOffset)));
          expect(joined.equals(bytes)).toBe(true);
          for (const [index, frame] of frames.entries()) {
            const view = new DataView(frame.buffer, frame.byteOffset, frame.length);
            const isLast = index === frames.length - 1;
            expect(frame.length).toBeLessThanOrEqual(FRAME_BYTES_MAX);
            expect(areChecksumsRight(like(built, frame))).toBe(true);
            expect(view.getUint16(built.ipOffset + 2)).toBe(frame.length - built.ipOffset);
            expect(view.getUint16(built.ipOffset + 4)).toBe((options.identification + index) & 0xffff);
            expect(view.getUint32(built.transportOffset + 4)).toBe(
              (options.sequence + index * segmentBytes) >>> 0,
            );
            const flags = view.getUint8(built.transportOffset + 13);
            expect(flags).toBe(0x10 | (index === 0 ? 0x80 : 0) | (isLast ? 0x09 : 0));
          }
        },
      ),
      { numRuns: 40 },
    );
  });

  const large = (options: Partial<PacketOptions> = {}): BuiltPacket =>
    packet({ protocol: 'tcp', data: testFrame(5000), ...options });

  it.each<[string, () => Uint8Array[]]>([
    ['a segment of no bytes', () => sent(large().frame, header({ type: TCP4, segmentBytes: 0, start: 34 }))],
    [
      'segments above the MTU',
      () => sent(large().frame, header({ type: TCP4, segmentBytes: 1465, start: 34 })),
    ],
    ['a crowd of segments', () => sent(large().frame, header({ type: TCP4, segmentBytes: 9, start: 34 }))],
    [
      'a start that is not TCP’s',
      () => sent(large().frame, header({ type: TCP4, segmentBytes: 1000, start: 35 })),
    ],
    [
      'no checksum to complete',
      () => sent(large().frame, header({ flags: 0, type: TCP4, segmentBytes: 1000 })),
    ],
    [
      'a datagram',
      () => sent(large({ protocol: 'udp' }).frame, header({ type: TCP4, segmentBytes: 1000, start: 34 })),
    ],
    ['another kind', () => sent(large().frame, header({ type: 3, segmentBytes: 1000, start: 34 }))],
    ['congestion signals', () => sent(large().frame, header({ type: 0x81, segmentBytes: 1000, start: 34 }))],
    ['a frame above the MTU that is not to be cut', () => sent(large().frame, header({ start: 34 }))],
    [
      'a header length that reaches out of the frame',
      () => {
        const built = packet({ protocol: 'tcp', data: new Uint8Array(0) });
        built.frame[built.transportOffset + 12] = 0xf0;
        return sent(built.frame, header({ type: TCP4, segmentBytes: 1000, start: built.transportOffset }));
      },
    ],
    [
      'a driver that did not agree to it',
      () =>
        sent(
          large().frame,
          header({ type: TCP4, segmentBytes: 1000, start: 34 }),
          ALL_FEATURES & ~FEATURE_HOST_TSO4,
        ),
    ],
  ])('and drops %s', (_, send) => {
    expect(send()).toEqual([]);
  });

  it('and whatever a driver says, sends nothing longer than the MTU and throws nothing', () => {
    const field = fc.oneof(fc.nat(0xffff), fc.integer({ min: 0, max: 80 }));
    const fields = fc.record({
      flags: fc.constantFrom(0, 1, 1, 1, 3, 255),
      type: fc.constantFrom(0, 1, 1, 1, 4, 0x81),
      segmentBytes: field,
      start: fc.oneof(field, fc.constant(34)),
      offset: fc.constantFrom(16, 16, 6, 0xffff),
    });
    const damage = fc.array(fc.tuple(fc.nat(80), fc.nat(255)), { maxLength: 4 });
    fc.assert(
      fc.property(fields, damage, fc.integer({ min: 14, max: 9000 }), (head, changes, lengthBytes) => {
        const whole = packet({ protocol: 'tcp', data: testFrame(9000) }).frame;
        const frame = whole.slice(0, lengthBytes);
        for (const [at, value] of changes) if (at < frame.length) frame[at] = value;
        for (const one of sent(frame, header(head))) expect(one.length).toBeLessThanOrEqual(FRAME_BYTES_MAX);
      }),
      { numRuns: 300 },
    );
  });
});

describe('virtio-net tells its driver of a received frame', () => {
  const DATA_VALID = 2;

  function flagsOf(frame: Uint8Array, features = ALL_FEATURES): number {
    const bench = new NetBench();
    bench.start(features);
    bench.offerReceiveBuffer(BUFFERS, 0x800);
    bench.net.receive(frame);
    expect(bench.net.metrics.receivedFrames).toBe(1);
    return bench.memory.readable(BUFFERS, 1)[0] ?? -1;
  }

  it('that its checksum is right, and only if it is', () => {
    const protocol = fc.constantFrom('tcp' as const, 'udp' as const);
    fc.assert(
      fc.property(shape, protocol, data(0, 1000), fc.nat(), (options, kind, bytes, where) => {
        const built = packet({ ...options, protocol: kind, data: bytes });
        expect(flagsOf(built.frame)).toBe(DATA_VALID);
        const damaged = built.frame.slice();
        const at = built.transportOffset + (where % (damaged.length - built.transportOffset));
        damaged[at] = (damaged[at] ?? 0) ^ 0x10;
        // A datagram whose field became zero says that it has none.
        expect(flagsOf(damaged)).toBe(0);
      }),
      { numRuns: 60 },
    );
  });

  it('that a padded frame’s is right', () => {
    const { frame } = packet({ protocol: 'tcp', data: new Uint8Array(0) });
    const padded = new Uint8Array(60).fill(0x77);
    padded.set(frame);
    expect(flagsOf(padded)).toBe(DATA_VALID);
  });

  it.each<[string, () => Uint8Array]>([
    ['no IPv4', () => testFrame(60)],
    [
      'an IPv4 header that is cut off',
      () => packet({ protocol: 'tcp', data: testFrame(9) }).frame.slice(0, 30),
    ],
    ['a length beyond the frame', () => packet({ protocol: 'tcp', data: testFrame(50) }).frame.slice(0, 80)],
    [
      'a fragment',
      () => {
        const built = packet({ protocol: 'udp', data: testFrame(50) });
        built.frame[built.ipOffset + 6] = 0x20;
        return built.frame;
      },
    ],
    [
      'a datagram without checksum',
      () => {
        const built = packet({ protocol: 'udp', data: testFrame(50) });
        built.frame.fill(0, built.transportOffset + 6, built.transportOffset + 8);
        return built.frame;
      },
    ],
  ])('nothing for %s', (_, make) => {
    expect(flagsOf(make())).toBe(0);
  });

  it('nothing if it did not agree to that', () => {
    const { frame } = packet({ protocol: 'tcp', data: testFrame(50) });
    expect(flagsOf(frame, ALL_FEATURES & ~FEATURE_GUEST_CHECKSUM)).toBe(0);
  });
});
