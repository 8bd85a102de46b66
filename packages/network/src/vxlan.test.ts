import fc from 'fast-check';
import { expect, it } from 'vitest';
import { decodeVxlan, encodeVxlan, vniMax } from './vxlan.ts';

const frame = Uint8Array.from({ length: 60 }, (_, index) => index);

it('the header has the I flag, the VNI, and zeros in all reserved fields', () => {
  const packet = encodeVxlan(0xab_cdef, frame);
  expect([...packet.subarray(0, 8)]).toEqual([0x08, 0, 0, 0, 0xab, 0xcd, 0xef, 0]);
});

it('what was encoded is decoded', () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: vniMax }), fc.uint8Array({ minLength: 14 }), (vni, inner) => {
      const decoded = decodeVxlan(encodeVxlan(vni, inner));
      expect(decoded?.vni).toBe(vni);
      expect([...(decoded?.frame ?? [])]).toEqual([...inner]);
    }),
  );
});

it('reserved bits are ignored when received', () => {
  const packet = encodeVxlan(5, frame);
  for (const offset of [1, 2, 3, 7]) packet[offset] = 0xff;
  packet[0] = 0xff;
  expect(decodeVxlan(packet)?.vni).toBe(5);
});

it('a packet without the I flag or without a whole inner header is none', () => {
  const flagless = encodeVxlan(5, frame);
  flagless[0] = 0xf7;
  expect(decodeVxlan(flagless)).toBeNull();
  expect(decodeVxlan(encodeVxlan(5, frame.subarray(0, 13)))).toBeNull();
});

it('any bytes are decoded or refused, never an exception', () => {
  fc.assert(fc.property(fc.uint8Array({ maxLength: 64 }), (bytes) => void decodeVxlan(bytes)));
});
