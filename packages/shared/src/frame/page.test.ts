import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { batchBytesMax, batchRawPagesMax, PageBatchWriter, pageBytes, readPageBatch } from './page.ts';

const pages = 1000;

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
        const batch = readPageBatch(compose(list), pages);
        if (typeof batch === 'string') throw new Error(batch);
        expect(batch).toMatchObject({ round: 3, sequence: 9 });
        expect(
          batch.entries.map(({ page, bytes, hash }) => ({ page, fill: bytes?.[4095] ?? null, hash })),
        ).toEqual(list.map(({ page, fill, hash }) => ({ page, fill, hash: fill === null ? 0n : hash })));
      }),
    );
  });

  it('have this layout', () => {
    const writer = new PageBatchWriter(new Uint8Array(batchBytesMax));
    writer.addZero(0x01020304);
    const golden = '0201010003000000090000000010000004030201000000000000000000000000';
    expect(Buffer.from(writer.finish(3, 9)).toString('hex')).toBe(golden);
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
