import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  batchBytesMax,
  batchDataBytesMax,
  batchEntriesMax,
  deltaBytesMax,
  frameHeadroomBytes,
  type PageBatch,
  PageBatchWriter,
  pageBytes,
  pageEntries,
  readPageBatch,
} from './page.ts';

const pages = 1000;
const headerBytes = 28;
const rawPagesMax = batchDataBytesMax / pageBytes;

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');

type Given =
  | { readonly kind: 'zero'; readonly page: number }
  | { readonly kind: 'raw'; readonly page: number; readonly fill: number; readonly hash: bigint }
  | { readonly kind: 'delta'; readonly page: number; readonly bytes: Uint8Array; readonly hash: bigint };

const page = fc.integer({ min: 0, max: pages - 1 });
const hash = fc.bigInt({ min: 1n, max: 2n ** 64n - 1n });
const given: fc.Arbitrary<Given> = fc.oneof(
  fc.record({ kind: fc.constant('zero' as const), page }),
  fc.record({ kind: fc.constant('raw' as const), page, fill: fc.integer({ min: 1, max: 255 }), hash }),
  fc.record({ kind: fc.constant('delta' as const), page, bytes: fc.uint8Array({ maxLength: 200 }), hash }),
);

function write(list: readonly Given[]): PageBatchWriter {
  const writer = new PageBatchWriter(new Uint8Array(batchBytesMax));
  for (const one of list) {
    const at = writer.nextDataOffset;
    if (one.kind === 'zero') writer.addZero(one.page);
    else if (one.kind === 'raw') {
      writer.bytes.fill(one.fill, at, at + pageBytes);
      writer.addRaw(one.page, one.hash);
    } else {
      writer.bytes.set(one.bytes, at);
      writer.addDelta(one.page, one.hash, one.bytes.length);
    }
  }
  return writer;
}

const compose = (list: readonly Given[]): Uint8Array => write(list).finish(3, 9);

const hashSumOf = (frame: Uint8Array): bigint =>
  new DataView(frame.buffer, frame.byteOffset).getBigUint64(20, true);

function requireBatch(frame: Uint8Array): PageBatch {
  const batch = readPageBatch(frame, pages);
  if (typeof batch === 'string') throw new Error(batch);
  return batch;
}

describe('page batches', () => {
  it('are read back as they were written', () => {
    fc.assert(
      fc.property(fc.array(given, { minLength: 1, maxLength: rawPagesMax }), (list) => {
        const frame = compose(list);
        const batch = requireBatch(frame);
        expect(batch).toMatchObject({ round: 3, sequence: 9, isCompressed: false });
        const hashes = list.map((one) => (one.kind === 'zero' ? 0n : one.hash));
        expect(hashSumOf(frame)).toBe(
          BigInt.asUintN(
            64,
            hashes.reduce((sum, hash) => sum + hash, 0n),
          ),
        );
        for (const [index, one] of list.entries()) {
          const entry = pageEntries(frame, batch)[index];
          expect(entry).toMatchObject({ page: one.page, kind: one.kind });
          const start = batch.dataOffset + (entry?.dataOffset ?? 0);
          const data = frame.subarray(start, start + (entry?.dataBytes ?? 0));
          if (one.kind === 'raw')
            expect([data.length, data[0], data.at(-1)]).toEqual([pageBytes, one.fill, one.fill]);
          if (one.kind === 'delta') expect(hex(data)).toBe(hex(one.bytes));
        }
      }),
    );
  });

  it('carry compressed data in the place of their own, and say how much they stand for', () => {
    const writer = write([{ kind: 'raw', page: 1, fill: 7, hash: 5n }]);
    const plainFrame = writer.finish(0, 0);
    const plain = pageEntries(plainFrame, requireBatch(plainFrame));
    writer.clear();
    writer.addRaw(1, 5n);
    const frame = writer.finishCompressed(0, 0, new Uint8Array([1, 2, 3]));
    const batch = requireBatch(frame);
    expect(batch).toMatchObject({ isCompressed: true, dataBytes: pageBytes });
    expect(hex(frame.subarray(batch.dataOffset))).toBe('010203');
    expect(pageEntries(frame, batch)).toEqual(plain);
  });

  it('have this layout', () => {
    const writer = new PageBatchWriter(new Uint8Array(batchBytesMax));
    writer.addZero(0x01020304);
    expect(hex(writer.finish(3, 9))).toBe(
      '020301000300000009000000' + '00000000000000000000000000000000' + '0403020100000000',
    );

    writer.clear();
    for (let index = 0; index < pageBytes; index++)
      writer.bytes[writer.nextDataOffset + index] = index & 0xff;
    writer.addRaw(5, 0x1122334455667788n);
    writer.addZero(6);
    writer.bytes.set([0xaa, 0xbb], writer.nextDataOffset);
    writer.addDelta(7, 9n, 2);
    const frame = writer.finish(0x0a0b0c0d, 0x01000000);
    expect(hex(frame.subarray(0, headerBytes + 24))).toBe(
      '020303000d0c0b0a00000001' +
        '02100000000000009177665544332211' +
        '0500000001000010' +
        '0600000000000000' +
        '0700000002000200',
    );
    expect(hex(frame.subarray(headerBytes + 24, headerBytes + 28))).toBe('00010203');
    expect(hex(frame.subarray(-2))).toBe('aabb');
    expect(frame.length).toBe(writer.frameBytes);
  });

  it('are composed where the pages were copied to: the frame is a view, and nothing is moved', () => {
    const writer = new PageBatchWriter(new Uint8Array(batchBytesMax));
    const offset = writer.nextDataOffset;
    writer.bytes.fill(0xaa, offset, offset + pageBytes);
    writer.addRaw(1, 1n);
    const frame = writer.finish(0, 0);
    expect(frame.buffer).toBe(writer.bytes.buffer);
    expect(frame.byteOffset + frame.length).toBe(offset + pageBytes);
  });

  it('have room for a WebSocket header in front of them, however many entries they have, compressed or not', () => {
    const writer = new PageBatchWriter(new Uint8Array(batchBytesMax));
    for (let page = 0; page < batchEntriesMax; page++) writer.addZero(page);
    expect(writer.finish(0, 0).byteOffset).toBeGreaterThanOrEqual(frameHeadroomBytes);
    writer.clear();
    writer.addRaw(1, 5n);
    const compressed = writer.finishCompressed(0, 0, new Uint8Array([1, 2, 3]));
    expect(compressed.byteOffset).toBeGreaterThanOrEqual(frameHeadroomBytes);
  });

  it('are full when either bound is reached, and take no more', () => {
    const writer = new PageBatchWriter(new Uint8Array(batchBytesMax));
    for (let page = 0; page < batchEntriesMax; page++) {
      expect(writer.isFull).toBe(false);
      writer.addZero(page);
    }
    expect(writer.isFull).toBe(true);
    expect(() => writer.addZero(0)).toThrow('full page batch');
    const batch = readPageBatch(writer.finish(0, 0), pages);
    expect(typeof batch === 'string' ? batch : batch.entryCount).toBe(batchEntriesMax);

    writer.clear();
    for (let page = 0; page < rawPagesMax; page++) writer.addRaw(page, 1n);
    expect(writer.isFull).toBe(true);
    expect(() => writer.addRaw(0, 1n)).toThrow('full page batch');
  });

  it('are refused with a reason when cut anywhere, or made longer', () => {
    const whole = compose([
      { kind: 'raw', page: 1, fill: 7, hash: 5n },
      { kind: 'zero', page: 2 },
    ]);
    for (const length of [0, 5, 27, 28, 36, 4096, whole.length - 1]) {
      expect(typeof readPageBatch(whole.subarray(0, length), pages), `${length} bytes`).toBe('string');
    }
    const longer = new Uint8Array(whole.length + 1);
    longer.set(whole);
    expect(typeof readPageBatch(longer, pages)).toBe('string');
  });

  it('are refused when header and entries contradict each other', () => {
    const zero = compose([{ kind: 'zero', page: 1 }]);
    const raw = compose([{ kind: 'raw', page: 1, fill: 1, hash: 1n }]);
    const delta = compose([{ kind: 'delta', page: 1, bytes: new Uint8Array(12), hash: 1n }]);
    const changed = (frame: Uint8Array, at: number, ...bytes: number[]): PageBatch | string => {
      const copy = Uint8Array.from(frame);
      copy.set(bytes, at);
      return readPageBatch(copy, pages);
    };
    const kindAt = headerBytes + 4;
    expect(changed(zero, kindAt, 1)).toBe('a raw page of 0 bytes');
    expect(changed(raw, kindAt, 3)).toBe('a page of kind 3');
    expect(changed(raw, kindAt, 0)).toBe(`a zero page of ${pageBytes} bytes`);
    expect(changed(raw, kindAt, 2)).toBe(`a delta page of ${pageBytes} bytes`);
    expect(changed(delta, kindAt + 2, 8)).toBe('more or less page data than the entries say');
    expect(changed(delta, kindAt + 3, (deltaBytesMax >> 8) + 1)).toMatch(/^a delta page of \d+ bytes/);
    const tooMuch = batchDataBytesMax + 1;
    const inBytes = new Uint8Array(Uint32Array.of(tooMuch).buffer);
    expect(changed(raw, 12, ...inBytes)).toBe(`a page batch of ${tooMuch} bytes of data`);
    expect(changed(zero, 16, 1)).toBe('compressed data that are longer than what they stand for');
    expect(changed(raw, 16, 1)).toMatch(/^a page batch of \d+ bytes instead of/);
    expect(changed(raw, 2, 0)).toBe('a page batch of 0 entries');
    expect(changed(raw, 3, 1)).toBe('a page batch of 257 entries');
    expect(changed(raw, 1, 1)).toBe('a page batch of another layout');
  });

  it('never name a page that the guest does not have, and never throw, whatever the bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), fc.boolean(), (bytes, isLikely) => {
        const frame = new Uint8Array(bytes);
        if (isLikely) frame.set([2, 3, bytes[2] ?? 0, 0].slice(0, frame.length));
        const batch = readPageBatch(frame, pages);
        if (typeof batch !== 'string')
          for (const { page } of pageEntries(frame, batch)) expect(page).toBeLessThan(pages);
      }),
    );
    expect(readPageBatch(compose([{ kind: 'raw', page: 999, fill: 1, hash: 1n }]), 999)).toBe(
      'page 999 of a guest that has 999',
    );
  });
});
