/** Reads captures back by the draft's block structure, with nothing of the encoder's. */
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { PcapngEncoder } from './pcapng.ts';

interface Block {
  readonly type: number;
  readonly body: DataView;
}

function readBlocks(capture: Uint8Array): Block[] {
  const view = new DataView(capture.buffer, capture.byteOffset, capture.byteLength);
  const blocks: Block[] = [];
  for (let at = 0; at < capture.length; ) {
    const total = view.getUint32(at + 4, true);
    expect(total % 4).toBe(0);
    expect(view.getUint32(at + total - 4, true)).toBe(total);
    blocks.push({ type: view.getUint32(at, true), body: new DataView(capture.buffer, at + 8, total - 12) });
    at += total;
  }
  return blocks;
}

/** Option values by code; the list must end with opt_endofopt at the block's end. */
function readOptions({ body }: Block, from: number): Map<number, Uint8Array> {
  const options = new Map<number, Uint8Array>();
  let at = from;
  for (; body.getUint16(at, true) !== 0; ) {
    const length = body.getUint16(at + 2, true);
    options.set(body.getUint16(at, true), new Uint8Array(body.buffer, body.byteOffset + at + 4, length));
    at += 4 + Math.ceil(length / 4) * 4;
  }
  expect(at + 4).toBe(body.byteLength);
  return options;
}

function capture(frames: readonly Uint8Array[], timestampNs: bigint, snapLengthBytes: number): Block[] {
  const encoder = new PcapngEncoder();
  const parts = [encoder.sectionHeader()];
  const first = encoder.addInterface({ name: 'web1/eth0', snapLengthBytes });
  const second = encoder.addInterface({ name: 'web2/eth0', snapLengthBytes });
  parts.push(first.block, second.block);
  for (const frame of frames) {
    parts.push(
      encoder.packet({ interfaceId: second.interfaceId, timestampNs, frame, direction: 'outbound' }),
    );
  }
  return readBlocks(Uint8Array.from(Buffer.concat(parts)));
}

it('a capture begins with a section header and its interfaces, named, in nanoseconds', () => {
  const [section, first, second] = capture([], 0n, 0);
  expect(section?.type).toBe(0x0a0d_0d0a);
  expect(section?.body.getUint32(0, true)).toBe(0x1a2b_3c4d);
  expect(section?.body.getUint16(4, true)).toBe(1);
  expect(section?.body.getBigInt64(8, true)).toBe(-1n);
  for (const [described, name] of [
    [first, 'web1/eth0'],
    [second, 'web2/eth0'],
  ] as const) {
    if (described === undefined) throw new Error('two interfaces were added');
    expect([described.type, described.body.getUint16(0, true)]).toEqual([1, 1]);
    const options = readOptions(described, 8);
    expect(new TextDecoder().decode(options.get(2))).toBe(name);
    expect([...(options.get(9) ?? [])]).toEqual([9]);
  }
});

it('every frame is read back with its time, interface, direction and both lengths', () => {
  const cases = fc.tuple(
    fc.array(fc.uint8Array({ maxLength: 100 }), { maxLength: 5 }),
    fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
    fc.nat(80),
  );
  fc.assert(
    fc.property(cases, ([frames, timestampNs, snapLengthBytes]) => {
      const packets = capture(frames, timestampNs, snapLengthBytes).slice(3);
      expect(packets).toHaveLength(frames.length);
      for (const [index, packet] of packets.entries()) {
        const frame = frames[index] ?? new Uint8Array();
        const { body } = packet;
        const kept = body.getUint32(12, true);
        expect([packet.type, body.getUint32(0, true)]).toEqual([6, 1]);
        expect((BigInt(body.getUint32(4, true)) << 32n) | BigInt(body.getUint32(8, true))).toBe(timestampNs);
        expect(kept).toBe(snapLengthBytes === 0 ? frame.length : Math.min(frame.length, snapLengthBytes));
        expect(body.getUint32(16, true)).toBe(frame.length);
        expect([...new Uint8Array(body.buffer, body.byteOffset + 20, kept)]).toEqual([
          ...frame.subarray(0, kept),
        ]);
        const flags = readOptions(packet, 20 + Math.ceil(kept / 4) * 4).get(2);
        expect([...(flags ?? [])]).toEqual([2, 0, 0, 0]);
      }
    }),
  );
});

it('a packet of an interface that was not added is a programmer’s mistake', () => {
  const packet = { interfaceId: 0, timestampNs: 0n, frame: new Uint8Array(14) };
  expect(() => new PcapngEncoder().packet(packet)).toThrow('invariant');
});
