import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { MachineError } from '../../machine-error.ts';
import { BlkBench, pattern, range } from '../test-support/blk-bench.ts';
import { MemoryDisk } from '../test-support/memory-disk.ts';
import { REQUEST } from './block-request.ts';

const action = fc.record({
  type: fc.constantFrom(
    REQUEST.in,
    REQUEST.out,
    REQUEST.flush,
    REQUEST.discard,
    REQUEST.writeZeroes,
    REQUEST.getId,
  ),
  sector: fc.nat(66),
  sectors: fc.integer({ min: 1, max: 6 }),
  seed: fc.nat(255),
  isIndirect: fc.boolean(),
});
type Action = typeof action extends fc.Arbitrary<infer T> ? T : never;

function act(on: BlkBench, { type, sector, sectors, seed, isIndirect }: Action): unknown {
  const isRange = type === REQUEST.discard || type === REQUEST.writeZeroes;
  const out =
    type === REQUEST.out ? pattern(sectors, seed) : isRange ? range(BigInt(sector), sectors) : undefined;
  const inBytes = type === REQUEST.in ? sectors * 512 : type === REQUEST.getId ? 20 : 0;
  return [on.request(type, BigInt(sector), out, inBytes, isIndirect), on.environment.isInterrupting];
}

describe('saving a virtio-blk device', () => {
  it('gives a twin that no guest can tell from the original, on a copy of its disk', () => {
    fc.assert(
      fc.property(
        fc.array(action, { maxLength: 20 }),
        fc.array(action, { minLength: 1, maxLength: 20 }),
        (before, after) => {
          const original = new BlkBench();
          original.start();
          for (const one of before) act(original, one);
          const twin = new BlkBench({ disk: original.disk.clone(), twin: original });
          for (const one of after) expect(act(twin, one)).toEqual(act(original, one));
          expect(twin.disk.bytes).toEqual(original.disk.bytes);
          expect(Buffer.compare(twin.memory.bytes, original.memory.bytes)).toBe(0);
          expect(twin.mmio.save()).toEqual(original.mmio.save());
        },
      ),
      { numRuns: 50 },
    );
  });

  it.each([
    ['another size', { disk: new MemoryDisk(65 * 512) }, /"disk0" of 32768 bytes; this machine has .* 33280/],
    ['no right to write', { disk: new MemoryDisk(64 * 512, true) }, /this machine has a read-only disk/],
    ['another serial', { serial: 'disk1' }, /this machine has a disk "disk1"/],
  ])('is refused by a machine whose disk has %s', (_, options, message) => {
    const state = new BlkBench().mmio.save();
    const other = new BlkBench(options);
    const load = () => other.mmio.restore(state);
    expect(load).toThrow(expect.objectContaining({ code: 'snapshot.other-machine' }));
    expect(load).toThrow(message);
  });

  it.each([
    ['a size that is no number', { capacityBytes: 'large' }],
    ['a serial too long', { serial: 'x'.repeat(21) }],
    ['a serial with a control character', { serial: 'a\nb' }],
    ['a field too many', { more: 1 }],
  ])('refuses %s', (_, change) => {
    const { version, fields } = new BlkBench().mmio.save();
    const damaged = { version, fields: { ...fields, blk: { ...(fields.blk as object), ...change } } };
    expect(() => new BlkBench().mmio.restore(damaged)).toThrow(MachineError);
  });
});
