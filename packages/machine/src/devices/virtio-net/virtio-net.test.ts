import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ALL_FEATURES, BUFFERS, NetBench, QUEUE_SIZE, testFrame } from '../test-support/net-bench.ts';
import { FEATURE_EVENT_INDEX, INTERRUPT_CONFIG_CHANGE, REGISTER } from '../virtio-mmio/registers.ts';
import { parseMac } from './mac-address.ts';
import {
  CONTROL_QUEUE,
  FEATURE_ANNOUNCE,
  FEATURE_MERGEABLE_BUFFERS,
  FRAME_BYTES_MAX,
  NET_HEADER_BYTES,
  RECEIVE_QUEUE,
  TRANSMIT_QUEUE,
} from './virtio-net.ts';

const PACKET_MAX = NET_HEADER_BYTES + FRAME_BYTES_MAX;

function started(features = ALL_FEATURES): NetBench {
  const bench = new NetBench();
  bench.start(features);
  return bench;
}

describe('virtio-net transmits', () => {
  it('the frame behind the header, in order, and returns each buffer', () => {
    const bench = started();
    const heads = [60, 1514, 14].map((length, i) =>
      bench.offerFrame(testFrame(length, i), BUFFERS + i * 0x800),
    );
    bench.kick(TRANSMIT_QUEUE);
    expect(bench.environment.frames()).toEqual([testFrame(60, 0), testFrame(1514, 1), testFrame(14, 2)]);
    const used = heads.map((head) => ({ head, writtenBytes: 0 }));
    expect(bench.queue(TRANSMIT_QUEUE).takeUsed()).toEqual(used);
    expect(bench.environment.isInterrupting).toBe(true);
  });

  it('a frame however its driver cuts it into descriptors, direct or indirect', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 14, max: FRAME_BYTES_MAX }),
        fc.array(fc.integer({ min: 1, max: 200 }), { maxLength: 10 }),
        fc.boolean(),
        (lengthBytes, cuts, isIndirect) => {
          const bench = started();
          const frame = testFrame(lengthBytes);
          bench.memory.write(BUFFERS + NET_HEADER_BYTES, frame);
          const spans: { address: number; lengthBytes: number }[] = [];
          let at = 0;
          const total = NET_HEADER_BYTES + lengthBytes;
          for (const part of [...cuts, total]) {
            const size = Math.min(part, total - at);
            if (size > 0) spans.push({ address: BUFFERS + at, lengthBytes: size });
            at += size;
          }
          const queue = bench.queue(TRANSMIT_QUEUE);
          if (isIndirect) queue.offerIndirect(spans, BUFFERS + 0x4000);
          else queue.offer(spans);
          bench.kick(TRANSMIT_QUEUE);
          expect(bench.environment.frames()).toEqual([frame]);
        },
      ),
      { numRuns: 50 },
    );
  });

  it('a frame from chains as long as the queue, direct and indirect', () => {
    for (const isIndirect of [false, true]) {
      const bench = started();
      const frame = testFrame(QUEUE_SIZE * 8);
      bench.memory.write(BUFFERS + NET_HEADER_BYTES, frame);
      const first = { address: BUFFERS, lengthBytes: NET_HEADER_BYTES + 8 };
      const rest = Array.from({ length: QUEUE_SIZE - 1 }, (_, i) => ({
        address: BUFFERS + NET_HEADER_BYTES + 8 * (i + 1),
        lengthBytes: 8,
      }));
      const queue = bench.queue(TRANSMIT_QUEUE);
      if (isIndirect) queue.offerIndirect([first, ...rest], BUFFERS + 0x4000);
      else queue.offer([first, ...rest]);
      bench.kick(TRANSMIT_QUEUE);
      expect(bench.environment.frames()).toEqual([frame]);
    }
  });

  it('nothing for frames too short, too long, with what no header may say, or with the link down; buffers return', () => {
    const bench = started();
    bench.offerFrame(testFrame(13), BUFFERS);
    bench.offerFrame(testFrame(FRAME_BYTES_MAX + 1), BUFFERS + 0x800);
    bench.offerFrame(testFrame(60), BUFFERS + 0x1000);
    bench.memory.write(BUFFERS + 0x1000, Uint8Array.of(8));
    bench.kick(TRANSMIT_QUEUE);
    bench.net.setLink(false);
    bench.offerFrame(testFrame(60), BUFFERS + 0x1800);
    bench.kick(TRANSMIT_QUEUE);
    expect(bench.environment.frames()).toEqual([]);
    expect(bench.net.metrics.transmitDropped).toBe(4);
    expect(bench.queue(TRANSMIT_QUEUE).takeUsed()).toHaveLength(4);
    expect(bench.isBroken).toBe(false);
  });

  it('nothing of a buffer shorter than the header: the device needs a reset', () => {
    const bench = started();
    bench.queue(TRANSMIT_QUEUE).offer([{ address: BUFFERS, lengthBytes: NET_HEADER_BYTES - 1 }]);
    bench.kick(TRANSMIT_QUEUE);
    expect(bench.isBroken).toBe(true);
  });
});

describe('virtio-net receives', () => {
  it('a frame into one buffer, behind a header that says so', () => {
    const bench = started();
    const head = bench.offerReceiveBuffer(BUFFERS, PACKET_MAX);
    bench.net.receive(testFrame(300));
    const writtenBytes = NET_HEADER_BYTES + 300;
    expect(bench.queue(RECEIVE_QUEUE).takeUsed()).toEqual([{ head, writtenBytes }]);
    const packet = bench.memory.readable(BUFFERS, writtenBytes);
    expect([...packet.subarray(0, NET_HEADER_BYTES)]).toEqual([0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0]);
    expect(packet.slice(NET_HEADER_BYTES)).toEqual(testFrame(300));
  });

  it('a frame behind a clean header, whatever was in the last transmit', () => {
    const bench = started();
    bench.offerFrame(testFrame(60), BUFFERS);
    bench.memory.write(BUFFERS, new Uint8Array(NET_HEADER_BYTES).fill(0xff));
    bench.kick(TRANSMIT_QUEUE);
    bench.offerReceiveBuffer(BUFFERS + 0x1000, PACKET_MAX);
    bench.net.receive(testFrame(60));
    expect([...bench.memory.readable(BUFFERS + 0x1000, NET_HEADER_BYTES)]).toEqual([
      0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0,
    ]);
  });

  it('a frame into several small buffers when they may be merged', () => {
    const bench = started();
    const heads = [0, 1, 2, 3].map((i) => bench.offerReceiveBuffer(BUFFERS + i * 0x1000, 128));
    bench.net.receive(testFrame(300));
    const used = bench.queue(RECEIVE_QUEUE).takeUsed();
    expect(used).toEqual([
      { head: heads[0], writtenBytes: 128 },
      { head: heads[1], writtenBytes: 128 },
      { head: heads[2], writtenBytes: NET_HEADER_BYTES + 300 - 256 },
    ]);
    expect(bench.memory.read16(BUFFERS + 10)).toBe(3);
    const joined = used.flatMap((one, i) => [
      ...bench.memory.readable(BUFFERS + i * 0x1000, one.writtenBytes),
    ]);
    expect(Uint8Array.from(joined.slice(NET_HEADER_BYTES))).toEqual(testFrame(300));
  });

  it('nothing when the buffers do not suffice: the frame is counted, the buffers stay for the next', () => {
    for (const features of [ALL_FEATURES, ALL_FEATURES & ~FEATURE_MERGEABLE_BUFFERS]) {
      const bench = started(features);
      const before = bench.memory.bytes.slice();
      bench.net.receive(testFrame(60));
      bench.offerReceiveBuffer(BUFFERS, 128);
      bench.net.receive(testFrame(300));
      expect(bench.net.metrics.receiveWithoutBuffer).toBe(2);
      expect(bench.queue(RECEIVE_QUEUE).takeUsed()).toEqual([]);
      expect(bench.memory.bytes.slice(BUFFERS - bench.memory.base)).toEqual(
        before.slice(BUFFERS - bench.memory.base),
      );
      bench.net.receive(testFrame(60));
      expect(bench.queue(RECEIVE_QUEUE).takeUsed()).toHaveLength(1);
    }
  });

  it('nothing before the driver is ready, with the link down, or of a length that is no frame', () => {
    const bench = new NetBench();
    bench.net.receive(testFrame(60));
    bench.start();
    bench.offerReceiveBuffer(BUFFERS, 0x4000);
    bench.net.receive(testFrame(13));
    bench.net.receive(testFrame(FRAME_BYTES_MAX + 1));
    bench.net.setLink(false);
    bench.net.receive(testFrame(60));
    expect(bench.net.metrics.receiveRefused).toBe(4);
    bench.net.setLink(true);
    bench.net.receive(testFrame(60));
    expect(bench.net.metrics.receivedFrames).toBe(1);
  });

  it('nothing into a buffer that is not writable or too small for the header: the device needs a reset', () => {
    for (const span of [
      { address: BUFFERS, lengthBytes: 0x600 },
      { address: BUFFERS, lengthBytes: 11, isWritable: true },
    ]) {
      const bench = started();
      bench.queue(RECEIVE_QUEUE).offer([span]);
      bench.net.receive(testFrame(60));
      expect(bench.isBroken).toBe(true);
    }
  });
});

describe('virtio-net tells its driver', () => {
  it('of returned buffers only when the driver wants to know', () => {
    const quiet = started(ALL_FEATURES & ~FEATURE_EVENT_INDEX);
    quiet.queue(TRANSMIT_QUEUE).setNoInterrupt(true);
    quiet.offerFrame(testFrame(60), BUFFERS);
    quiet.kick(TRANSMIT_QUEUE);
    expect(quiet.environment.isInterrupting).toBe(false);

    const later = started();
    later.queue(TRANSMIT_QUEUE).setUsedEvent(2);
    for (const expected of [false, false, true]) {
      later.offerFrame(testFrame(60), BUFFERS);
      later.kick(TRANSMIT_QUEUE);
      expect(later.environment.isInterrupting).toBe(expected);
    }
  });

  it('to notify transmits but not receive buffers', () => {
    const events = started();
    events.offerFrame(testFrame(60), BUFFERS);
    events.kick(TRANSMIT_QUEUE);
    expect(events.queue(TRANSMIT_QUEUE).availableEvent()).toBe(1);
    expect(events.queue(RECEIVE_QUEUE).availableEvent()).toBe(0xffff);

    const flags = started(ALL_FEATURES & ~FEATURE_EVENT_INDEX);
    expect(flags.queue(RECEIVE_QUEUE).usedFlags()).toBe(1);
    expect(flags.queue(TRANSMIT_QUEUE).usedFlags()).toBe(0);
  });

  it('to announce itself, until the driver acknowledges', () => {
    const bench = started();
    bench.net.requestAnnounce();
    expect(bench.read(REGISTER.interruptStatus)).toBe(INTERRUPT_CONFIG_CHANGE);
    expect(bench.mmio.read(REGISTER.config + 6, 2)).toBe(3);
    bench.memory.write(BUFFERS, Uint8Array.of(3, 0, 0xff));
    bench.queue(CONTROL_QUEUE).offer([
      { address: BUFFERS, lengthBytes: 2 },
      { address: BUFFERS + 2, lengthBytes: 1, isWritable: true },
    ]);
    bench.kick(CONTROL_QUEUE);
    expect(bench.memory.readable(BUFFERS + 2, 1)[0]).toBe(0);
    expect(bench.mmio.read(REGISTER.config + 6, 2)).toBe(1);
    expect(bench.queue(CONTROL_QUEUE).takeUsed()[0]?.writtenBytes).toBe(1);
  });

  it('nothing of announcements when it did not agree to make them', () => {
    const bench = started(ALL_FEATURES & ~FEATURE_ANNOUNCE);
    bench.net.requestAnnounce();
    expect(bench.mmio.read(REGISTER.config + 6, 2)).toBe(1);
    expect(bench.environment.isInterrupting).toBe(false);
  });

  it('that a control command is unknown', () => {
    const bench = started();
    bench.memory.write(BUFFERS, Uint8Array.of(9, 9, 0xff));
    bench.queue(CONTROL_QUEUE).offer([
      { address: BUFFERS, lengthBytes: 2 },
      { address: BUFFERS + 2, lengthBytes: 1, isWritable: true },
    ]);
    bench.kick(CONTROL_QUEUE);
    expect(bench.memory.readable(BUFFERS + 2, 1)[0]).toBe(1);
    expect(bench.isBroken).toBe(false);
  });
});

describe('MAC addresses of vNICs', () => {
  it('are six unicast bytes', () => {
    expect([...parseMac('52:54:00:aB:cd:01')]).toEqual([0x52, 0x54, 0, 0xab, 0xcd, 1]);
    for (const bad of [
      '',
      '52:54:00:12:34',
      '53:54:00:12:34:56',
      '00:00:00:00:00:00',
      '52-54-00-12-34-56',
      'x',
    ]) {
      expect(() => parseMac(bad)).toThrow(RangeError);
    }
  });
});
