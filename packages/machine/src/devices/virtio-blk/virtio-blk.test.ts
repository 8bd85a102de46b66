import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  type BlkAnswer,
  BlkBench,
  header,
  pattern,
  range,
  WRITABLE_FEATURES,
} from '../test-support/blk-bench.ts';
import { MemoryDisk } from '../test-support/memory-disk.ts';
import { BUFFERS } from '../test-support/virtio-bench.ts';
import { REGISTER } from '../virtio-mmio/registers.ts';
import { REQUEST, STATUS } from './block-request.ts';
import { FEATURE_DISCARD, FEATURE_FLUSH, FEATURE_WRITE_ZEROES, REQUEST_QUEUE } from './virtio-blk.ts';

const SECTORS = 64;
const { ok, ioError, unsupported } = STATUS;

function started(disk = new MemoryDisk(SECTORS * 512), features?: bigint): BlkBench {
  const bench = new BlkBench({ disk });
  bench.start(features);
  return bench;
}

describe('virtio-blk', () => {
  it('says how large the disk is and what it takes', () => {
    const bench = new BlkBench();
    expect(bench.read(REGISTER.deviceId)).toBe(2);
    const word = (offset: number) => bench.read(REGISTER.config + offset);
    expect([word(0), word(4)]).toEqual([SECTORS, 0]);
    expect([word(12), word(20)]).toEqual([62, 512]);
    expect([word(36), word(40), word(44)]).toEqual([4096, 1, 1]);
    expect([word(48), word(52)]).toEqual([4096, 1]);
  });

  it('reads what was written, in descriptors direct and indirect', () => {
    const bench = started();
    for (const isIndirect of [false, true]) {
      const written = pattern(3, isIndirect ? 2 : 1);
      expect(bench.request(REQUEST.out, 7n, written, 0, isIndirect)).toMatchObject({
        status: ok,
        writtenBytes: 1,
      });
      expect(bench.disk.bytes.slice(7 * 512, 10 * 512)).toEqual(written);
      const read = bench.request(REQUEST.in, 7n, undefined, 3 * 512, isIndirect);
      expect(read).toEqual({ status: ok, writtenBytes: 3 * 512 + 1, data: written });
    }
    expect(bench.environment.isInterrupting).toBe(true);
  });

  it('takes header, data and status however its driver cuts them', () => {
    const cuts = fc.array(fc.integer({ min: 1, max: 700 }), { maxLength: 6 });
    fc.assert(
      fc.property(cuts, cuts, fc.boolean(), (outCuts, inCuts, isWrite) => {
        const bench = started();
        bench.disk.bytes.set(pattern(2, 5), 512);
        const data = pattern(2, 6);
        const out = isWrite ? [...header(REQUEST.out, 1n), ...data] : [...header(REQUEST.in, 1n)];
        const inBytes = (isWrite ? 0 : 1024) + 1;
        bench.memory.write(BUFFERS, Uint8Array.from(out));
        const spans = [
          ...cut(BUFFERS, out.length, outCuts),
          ...cut(BUFFERS + 0x1000, inBytes, inCuts).map((span) => ({ ...span, isWritable: true })),
        ];
        bench.queue(REQUEST_QUEUE).offer(spans);
        bench.kick(REQUEST_QUEUE);
        expect(bench.queue(REQUEST_QUEUE).takeUsed()[0]?.writtenBytes).toBe(inBytes);
        const answer = bench.memory.readable(BUFFERS + 0x1000, inBytes);
        expect(answer.at(-1)).toBe(ok);
        if (isWrite) expect(bench.disk.bytes.slice(512, 1536)).toEqual(data);
        else expect(answer.slice(0, 1024)).toEqual(pattern(2, 5));
      }),
      { numRuns: 50 },
    );
  });

  it('makes what was written stable at a flush, not before', () => {
    const bench = started();
    bench.request(REQUEST.out, 0n, pattern(1));
    expect(bench.disk.stable).toEqual(new Uint8Array(SECTORS * 512));
    expect(bench.request(REQUEST.flush, 0n)).toMatchObject({ status: ok, writtenBytes: 1 });
    expect(bench.disk.stable).toEqual(bench.disk.bytes);
    expect(bench.device.metrics.flushes).toBe(1);
  });

  it('makes each write stable for a driver that knows no flush', () => {
    const bench = started(undefined, WRITABLE_FEATURES & ~FEATURE_FLUSH);
    bench.request(REQUEST.out, 0n, pattern(1));
    expect(bench.disk.stable).toEqual(bench.disk.bytes);
  });

  it.each([
    ['a discard', REQUEST.discard, 0],
    ['write-zeroes', REQUEST.writeZeroes, 0],
    ['write-zeroes that may unmap', REQUEST.writeZeroes, 1],
  ])('has zeros behind %s, and nothing else changed', (_, type, flags) => {
    const bench = started(new MemoryDisk(SECTORS * 512, false, pattern(SECTORS)));
    expect(bench.request(type, 0n, range(10n, 5, flags)).status).toBe(ok);
    const expected = pattern(SECTORS);
    expected.fill(0, 10 * 512, 15 * 512);
    expect(bench.disk.bytes).toEqual(expected);
    expect(bench.device.metrics.zeroedBytes).toBe(5 * 512);
  });

  it('gives its serial, as much as there is room for', () => {
    const bench = started();
    const id = bench.request(REQUEST.getId, 0n, undefined, 20);
    expect(id).toMatchObject({ status: ok, writtenBytes: 21 });
    expect(new TextDecoder().decode(id.data)).toBe(`disk0${'\0'.repeat(15)}`);
    expect(new TextDecoder().decode(bench.request(REQUEST.getId, 0n, undefined, 3).data)).toBe('dis');
  });

  it('refuses every change of a read-only disk, and does not offer them', () => {
    const bench = started(new MemoryDisk(SECTORS * 512, true, pattern(SECTORS)));
    expect(bench.request(REQUEST.out, 0n, new Uint8Array(512)).status).toBe(ioError);
    expect(bench.request(REQUEST.discard, 0n, range(0n, 1)).status).toBe(unsupported);
    expect(bench.disk.bytes).toEqual(pattern(SECTORS));
    expect(bench.request(REQUEST.in, 1n, undefined, 512).status).toBe(ok);
    expect(bench.negotiate(WRITABLE_FEATURES)).toBe(false);
  });
});

describe('virtio-blk refuses', () => {
  const all = SECTORS * 512;
  it.each<[string, number, (bench: BlkBench) => BlkAnswer]>([
    ['a read behind the end', ioError, (on) => on.request(REQUEST.in, 63n, undefined, 1024)],
    ['a write behind the end', ioError, (on) => on.request(REQUEST.out, 64n, pattern(1))],
    [
      'a sector that overflows',
      ioError,
      (on) => on.request(REQUEST.in, 0x007f_ffff_ffff_ffffn, undefined, 512),
    ],
    [
      'the last of all sectors',
      ioError,
      (on) => on.request(REQUEST.in, 0xffff_ffff_ffff_ffffn, undefined, 512),
    ],
    ['a read of part of a sector', ioError, (on) => on.request(REQUEST.in, 0n, undefined, 100)],
    ['a write of part of a sector', ioError, (on) => on.request(REQUEST.out, 0n, new Uint8Array(513))],
    ['a discard behind the end', ioError, (on) => on.request(REQUEST.discard, 0n, range(63n, 2))],
    ['a discard too long', ioError, (on) => on.request(REQUEST.discard, 0n, range(0n, 0xffff_ffff))],
    ['a discard of two ranges', ioError, (on) => on.request(REQUEST.discard, 0n, new Uint8Array(32))],
    ['a discard of half a range', ioError, (on) => on.request(REQUEST.discard, 0n, new Uint8Array(8))],
    ['a discard that unmaps', unsupported, (on) => on.request(REQUEST.discard, 0n, range(0n, 1, 1))],
    ['zeroes with unknown flags', unsupported, (on) => on.request(REQUEST.writeZeroes, 0n, range(0n, 1, 2))],
    ['a type that does not exist', unsupported, (on) => on.request(77, 0n, undefined, 512)],
    ['a lifetime', unsupported, (on) => on.request(10, 0n, undefined, 16)],
  ])('%s, with the disk and the guest’s buffer as they were', (_, status, ask) => {
    const bench = started(new MemoryDisk(all, false, pattern(SECTORS)));
    const answer = ask(bench);
    expect(answer.status).toBe(status);
    expect(answer.data).toEqual(new Uint8Array(answer.data.length).fill(0xee));
    expect(bench.disk.bytes).toEqual(pattern(SECTORS));
    expect(bench.device.metrics.refused).toBe(1);
    expect(bench.isBroken).toBe(false);
  });

  it('discards and zeroes that its driver did not agree to', () => {
    const bench = started(undefined, WRITABLE_FEATURES & ~FEATURE_DISCARD & ~FEATURE_WRITE_ZEROES);
    expect(bench.request(REQUEST.discard, 0n, range(0n, 1)).status).toBe(unsupported);
    expect(bench.request(REQUEST.writeZeroes, 0n, range(0n, 1)).status).toBe(unsupported);
  });
});

describe('virtio-blk on a host that fails', () => {
  it.each([
    ['a read', (on: BlkBench) => on.request(REQUEST.in, 0n, undefined, 512)],
    ['a write', (on: BlkBench) => on.request(REQUEST.out, 0n, pattern(1))],
    ['a flush', (on: BlkBench) => on.request(REQUEST.flush, 0n)],
    ['a discard', (on: BlkBench) => on.request(REQUEST.discard, 0n, range(0n, 1))],
  ])('tells the guest that %s failed, writes none of its data, and goes on', (_, ask) => {
    const bench = started();
    bench.disk.isBroken = true;
    const answer = ask(bench);
    expect(answer.status).toBe(ioError);
    expect(answer.data).toEqual(new Uint8Array(answer.data.length).fill(0xee));
    expect(bench.device.metrics.hostErrors).toBe(1);
    bench.disk.isBroken = false;
    expect(ask(bench).status).toBe(ok);
  });
});

/** Pieces of the given lengths, and what is left as the last. */
function cut(address: number, lengthBytes: number, lengths: readonly number[]) {
  const spans: { address: number; lengthBytes: number }[] = [];
  let at = 0;
  for (const length of [...lengths, lengthBytes]) {
    const part = Math.min(length, lengthBytes - at);
    if (part > 0) spans.push({ address: address + at, lengthBytes: part });
    at += part;
  }
  return spans;
}
