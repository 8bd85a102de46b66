import fc from 'fast-check';
import { expect, it } from 'vitest';
import { segmentKey } from './port-group.ts';

const segments = fc.record({
  vni: fc.option(fc.oneof(fc.integer({ min: 1, max: 0xff_ffff }), fc.integer({ min: 1, max: 5000 }))),
  vlan: fc.integer({ min: 0, max: 4094 }),
});

it('two segments have one key only if they are one segment', () => {
  fc.assert(
    fc.property(segments, segments, (a, b) => {
      expect(segmentKey(a) === segmentKey(b)).toBe(a.vni === b.vni && a.vlan === b.vlan);
    }),
  );
  expect(segmentKey({ vni: 100, vlan: 7 })).not.toBe(segmentKey({ vni: 107, vlan: 0 }));
  expect(segmentKey({ vni: null, vlan: 7 })).not.toBe(segmentKey({ vni: 7, vlan: 0 }));
});

it('a key fits a number exactly', () => {
  expect(Number.isSafeInteger(segmentKey({ vni: 0xff_ffff, vlan: 4094 }))).toBe(true);
});

it('identifiers out of range are a programmer’s mistake', () => {
  for (const vni of [0, 2 ** 24, 1.5]) expect(() => segmentKey({ vni, vlan: 0 })).toThrow('VNI');
  for (const vlan of [-1, 4095]) expect(() => segmentKey({ vni: 1, vlan })).toThrow('VLAN');
});
