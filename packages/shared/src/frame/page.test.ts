import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  batchBytesMax,
  batchEntriesMax,
  batchRawPagesMax,
  type PageBatch,
  PageBatchWriter,
  pageBytes,
  readPageBatch,
} from './page.ts';

const pages = 1000;

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');

const entry = fc.record({
  page: fc.integer({ min: 0, max: pages - 1 }),
  fill: fc.option(fc.integer({ min: 1, max: 255 }), { nil: null }),
  hash: fc.bigInt({ min: 1n, max: 2n ** 64n - 1n }),
});

function compose(list: readonly { page: number; fill: number | null; hash: bigint }[]) {
  const writer = new PageBatchWriter(new Uint8Array(batchBytesMax));
  for (const { page, fill, hash } of list) {
    if (fill === null) writer.addZero(page);
    else {
      writer.bytes.fill(fill, writer.nextPageOffset, writer.nextPageOffset + pageBytes);
      writer.addRaw(page, hash);
    }
  }
  return writer.finish(3, 9);
}

describe('page batches', () => {
  it('are read back as they were written', () => {
    fc.assert(
      fc.property(fc.array(entry, { minLength: 1, maxLength: batchRawPagesMax }), (list) => {
        const frame = compose(list);
        const batch = readPageBatch(frame, pages);
        if (typeof batch === 'string') throw new Error(batch);
        expect(batch).toMatchObject({ round: 3, sequence: 9 });
        expect(
          batch.entries.map(({ page, dataOffset, hash }) => ({
            page,
            fill: dataOffset === null ? null : frame[dataOffset + pageBytes - 1],
            hash,
          })),
        ).toEqual(list.map(({ page, fill, hash }) => ({ page, fill, hash: fill === null ? 0n : hash })));
      }),
    );
  });

  it('have this layout', () => {
    const writer = new PageBatchWriter(new Uint8Array(batchBytesMax));
    writer.addZero(0x01020304);
    const zeroOnly = '02010100030000000900000000000000' + '04030201000000000000000000000000';
    expect(hex(writer.finish(3, 9))).toBe(zeroOnly);

    writer.clear();
    for (let index = 0; index < pageBytes; index++)
      writer.bytes[writer.nextPageOffset + index] = index & 0xff;
    writer.addRaw(5, 0x1122334455667788n);
    writer.addZero(6);
    const frame = writer.finish(0x0a0b0c0d, 0x01000000);
    expect(hex(frame.subarray(0, 48))).toBe(
      '020102000d0c0b0a0000000101000000' +
        '05000000010000008877665544332211' +
        '06000000000000000000000000000000',
    );
    expect(hex(frame.subarray(48, 52))).toBe('00010203');
    expect(frame.length).toBe(48 + pageBytes);
  });

  it('are composed where the pages were copied to: the frame is a view, and nothing is moved', () => {
    const writer = new PageBatchWriter(new Uint8Array(batchBytesMax));
    const offset = writer.nextPageOffset;
    writer.bytes.fill(0xaa, offset, offset + pageBytes);
    writer.addRaw(1, 1n);
    const frame = writer.finish(0, 0);
    expect(frame.buffer).toBe(writer.bytes.buffer);
    expect(frame.byteOffset + frame.length).toBe(offset + pageBytes);
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
    expect(typeof batch === 'string' ? batch : batch.entries.length).toBe(batchEntriesMax);

    writer.clear();
    for (let page = 0; page < batchRawPagesMax; page++) writer.addRaw(page, 1n);
    expect(writer.isFull).toBe(true);
    expect(() => writer.addRaw(0, 1n)).toThrow('full page batch');
  });

  it('are refused with a reason when cut anywhere, or made longer', () => {
    const whole = compose([
      { page: 1, fill: 7, hash: 5n },
      { page: 2, fill: null, hash: 1n },
    ]);
    for (const length of [0, 5, 15, 16, 40, 4096, whole.length - 1]) {
      expect(typeof readPageBatch(whole.subarray(0, length), pages), `${length} bytes`).toBe('string');
    }
    const longer = new Uint8Array(whole.length + 1);
    longer.set(whole);
    expect(typeof readPageBatch(longer, pages)).toBe('string');
  });

  it('are refused when header and entries contradict each other', () => {
    const zero = compose([{ page: 1, fill: null, hash: 0n }]);
    const raw = compose([{ page: 1, fill: 1, hash: 1n }]);
    const changed = (frame: Uint8Array, at: number, byte: number): PageBatch | string => {
      const copy = Uint8Array.from(frame);
      copy[at] = byte;
      return readPageBatch(copy, pages);
    };
    expect(changed(zero, 20, 1)).toBe('more raw pages than the batch has data for');
    expect(changed(zero, 24, 1)).toBe('a zero page with a hash');
    expect(changed(raw, 20, 2)).toBe('a page of kind 2');
    expect(changed(raw, 20, 0)).toBe('a zero page with a hash');
    expect(changed(raw, 12, 17)).toBe('a page batch of 17 raw pages');
    expect(changed(raw, 2, 0)).toBe('a page batch of 0 entries');
    expect(changed(raw, 3, 1)).toBe('a page batch of 257 entries');
    expect(changed(raw, 1, 2)).toBe('a page batch of another layout');
  });

  it('never name a page that the guest does not have, and never throw, whatever the bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), fc.boolean(), (bytes, isLikely) => {
        const frame = new Uint8Array(bytes);
        if (isLikely) frame.set([2, 1, bytes[2] ?? 0, 0].slice(0, frame.length));
        const batch = readPageBatch(frame, pages);
        if (typeof batch !== 'string') for (const { page } of batch.entries) expect(page).toBeLessThan(pages);
      }),
    );
    expect(readPageBatch(compose([{ page: 999, fill: 1, hash: 1n }]), 999)).toBe(
      'page 999 of a guest that has 999',
    );
  });
});
