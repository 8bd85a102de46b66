/** The splitter over any mix of frames in any cut, and on a real connection behind which ws sits. */

import { frameHeadroomBytes } from '@skein/shared';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { BulkSplitter } from './bulk-splitter.ts';
import { dialing, serve } from './link.fixture.ts';
import { bulkKind, controlKind } from './wire.ts';
import { frameByWs } from './ws-frame.fixture.ts';

const deadlineMs = 5000;
const head = Buffer.from('HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\n\r\n');

interface Frame {
  readonly first: number;
  readonly kind: number;
  readonly payloadBytes: number;
}

function encode({ first, kind, payloadBytes }: Frame): Buffer {
  const data = Buffer.alloc(payloadBytes, first);
  if (payloadBytes > 0) data[0] = kind;
  return frameByWs(data, first);
}

/** Runs a stream through a splitter in pieces; what comes out at both sides, in order. */
function split(stream: Buffer, cuts: readonly number[], isTakingBulk: () => boolean) {
  const out: { bulk: boolean; bytes: Buffer }[] = [];
  const splitter = new BulkSplitter(new Uint8Array(160 << 10), {
    isTakingBulk,
    bulk: (payload) => void out.push({ bulk: true, bytes: Buffer.from(payload) }),
    pass: (bytes) => void out.push({ bulk: false, bytes: Buffer.from(bytes) }),
  });
  for (let at = 0, turn = 0; at < stream.length; turn++) {
    const { room } = splitter;
    const bytes = Math.min(cuts[turn % cuts.length] ?? 1, room.length, stream.length - at);
    expect(room.length).toBeGreaterThanOrEqual(64 << 10);
    room.set(stream.subarray(at, at + bytes));
    splitter.received(bytes);
    at += bytes;
  }
  return out;
}

const passed = (out: ReturnType<typeof split>) =>
  Buffer.concat(out.filter(({ bulk }) => !bulk).map(({ bytes }) => bytes));

const frames = fc.array(
  fc.record({
    first: fc.constantFrom(0x82, 0x82, 0x82, 0x81, 0x02, 0x00, 0x80, 0x89, 0x8a, 0x88),
    kind: fc.constantFrom(bulkKind, bulkKind, controlKind),
    payloadBytes: fc.oneof(fc.integer({ min: 0, max: 125 }), fc.integer({ min: 126, max: 120_000 })),
  }),
  { maxLength: 12 },
);
const cuts = fc.array(fc.oneof(fc.integer({ min: 1, max: 30 }), fc.integer({ min: 1, max: 90_000 })), {
  minLength: 1,
  maxLength: 8,
});

/** What a reader of RFC 6455 expects: the frames that may go past ws. */
function expectedBulk(list: readonly Frame[]): Frame[] {
  const bulk: Frame[] = [];
  let isInFragments = false;
  for (const frame of list) {
    const fits = 10 + frame.payloadBytes <= 96 << 10;
    if (frame.first === 0x82 && frame.kind === bulkKind && frame.payloadBytes > 0 && fits && !isInFragments) {
      bulk.push(frame);
    } else if ((frame.first & 0x0f) < 8) isInFragments = (frame.first & 0x80) === 0;
  }
  return bulk;
}

describe('a splitter of bulk', () => {
  it('hands on whole bulk frames and passes every other byte, in order, however the stream is cut', () => {
    fc.assert(
      fc.property(frames, cuts, (list, pieces) => {
        const out = split(Buffer.concat([head, ...list.map(encode)]), pieces, () => true);
        const bulk = expectedBulk(list);
        const handed = out.filter((part) => part.bulk);
        expect(handed.map(({ bytes }) => bytes.length)).toEqual(bulk.map(({ payloadBytes }) => payloadBytes));
        for (const { bytes } of handed) expect(bytes.subarray(1).every((byte) => byte === 0x82)).toBe(true);
        const others = list.filter((frame) => !bulk.includes(frame));
        expect(passed(out).equals(Buffer.concat([head, ...others.map(encode)]))).toBe(true);
      }),
      { numRuns: 60 },
    );
  });

  it('passes everything while nobody takes bulk, and again a frame that came when all was taken up', () => {
    const bulk = encode({ first: 0x82, kind: bulkKind, payloadBytes: 70_000 });
    const stream = Buffer.concat([head, bulk, bulk]);
    expect(passed(split(stream, [1000], () => false)).equals(stream)).toBe(true);
    let asked = 0;
    const out = split(stream, [stream.length], () => asked++ > 0);
    expect(out.map((part) => part.bulk)).toEqual([false, false, true]);
  });

  it('leaves masked frames, reserved bits and lengths beyond all numbers to ws', () => {
    for (const start of [
      [0xc2, 5],
      [0x82, 0x85],
      [0x82, 127, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
    ]) {
      const stream = Buffer.concat([head, Buffer.from([...start, bulkKind]), Buffer.alloc(100, bulkKind)]);
      const out = split(stream.subarray(0, head.length + start.length + 1), [7], () => true);
      expect(out.some((part) => part.bulk)).toBe(false);
      expect(passed(out).length).toBeGreaterThanOrEqual(head.length + start.length);
    }
  });
});

describe('a link that reads bulk in place', () => {
  it('keeps the order of bulk, by ws and past it, and control messages, and bulk stands in the buffer', async () => {
    const { listener, links } = await serve();
    const heard: string[] = [];
    // Shared, as the page kernel's memory is, in which a migration's pages arrive.
    const bulkBuffer = new Uint8Array(new SharedArrayBuffer(256 << 10));
    const link = await dialing(listener.port, {
      bulkBuffer,
      maxPayloadBytes: 1 << 20,
      handlers: {
        requests: { ask: () => ({ name: 'two' }) },
        notices: { fill: ({ bytes }) => void heard.push(`control ${bytes.length}`) },
      },
    });
    let inPlace = 0;
    link.onBulk = (frame) => {
      if (frame.buffer === bulkBuffer.buffer) inPlace += 1;
      heard.push(`bulk ${frame.length}`);
    };
    await link.request('double', { value: 1 }, { deadlineMs });
    const expected: string[] = [];
    for (let round = 0; round < 40; round++) {
      const bytes = 1 + ((round * 7919) % 90_000);
      links[0]?.sendBulk(new Uint8Array(bytes).fill(bulkKind));
      links[0]?.notify('fill', { bytes: new Uint8Array(bytes * 2) });
      links[0]?.sendBulkInPlace(
        new Uint8Array(frameHeadroomBytes + 65_536).fill(bulkKind).subarray(frameHeadroomBytes),
      );
      links[0]?.notify('fill', { bytes: new Uint8Array(3) });
      expected.push(`bulk ${bytes}`, `control ${bytes * 2}`, 'bulk 65536', 'control 3');
    }
    await links[0]?.request('ask', {}, { deadlineMs });
    expect(heard).toEqual(expected);
    expect(inPlace).toBeGreaterThan(40);
    link.close();
    expect((await link.closed).code).toBe('closed');
  });

  it('takes frames larger than its buffer as copies, and refuses those beyond its payload limit', async () => {
    const { listener, links } = await serve();
    const sizes: number[] = [];
    const link = await dialing(listener.port, {
      bulkBuffer: new Uint8Array(128 << 10),
      maxPayloadBytes: 1 << 20,
    });
    link.onBulk = (frame) => void sizes.push(frame.length);
    await link.request('double', { value: 1 }, { deadlineMs });
    for (const bytes of [1 << 20, 10, 65_537, 60_000])
      links[0]?.sendBulk(new Uint8Array(bytes).fill(bulkKind));
    await links[0]?.request('ask', {}, { deadlineMs });
    expect(sizes).toEqual([1 << 20, 10, 65_537, 60_000]);
    links[0]?.sendBulk(new Uint8Array((1 << 20) + 1).fill(bulkKind));
    expect((await link.closed).code).toBe('link.too-large');
  });
});
