import fc from 'fast-check';
import { expect, it } from 'vitest';
import { buildFrame, etherTypes } from './ethernet.ts';
import { readVlanTag, withoutVlanTag, withVlanTag } from './vlan.ts';

const plain = buildFrame(
  { destination: 0x5254_0000_0001, source: 0x5254_0000_0002, etherType: 0x0800 },
  Uint8Array.of(7),
);

it('a tag that was added is read and taken off again', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 4094 }), fc.uint8Array(), (vlan, payload) => {
      const frame = buildFrame({ destination: 1, source: 2, etherType: etherTypes.ipv4 }, payload);
      const tagged = withVlanTag(frame, vlan);
      expect(readVlanTag(tagged)).toEqual({ kind: 'tagged', vlan });
      expect([...withoutVlanTag(tagged)]).toEqual([...frame]);
    }),
  );
});

it('a tag stands between source and type, as 81 00 and the VLAN id', () => {
  expect([...withVlanTag(plain, 0x123).subarray(12, 19)]).toEqual([0x81, 0x00, 0x01, 0x23, 0x08, 0x00, 7]);
});

it('VLAN 0 adds no tag', () => {
  expect(withVlanTag(plain, 0)).toBe(plain);
  expect(readVlanTag(plain)).toEqual({ kind: 'untagged' });
});

it('the priority bits of a tag are no part of its VLAN id', () => {
  const tagged = withVlanTag(plain, 5);
  tagged[14] = 0xe0;
  expect(readVlanTag(tagged)).toEqual({ kind: 'tagged', vlan: 5 });
});

it('a service tag, the reserved id 4095 and a tag cut short are unsupported', () => {
  const service = withVlanTag(plain, 5);
  service[12] = 0x88;
  service[13] = 0xa8;
  const reserved = withVlanTag(plain, 5);
  reserved[14] = 0x0f;
  reserved[15] = 0xff;
  const short = withVlanTag(plain, 5).subarray(0, 15);
  for (const frame of [service, reserved, short]) expect(readVlanTag(frame)).toEqual({ kind: 'unsupported' });
});
