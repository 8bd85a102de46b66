import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { includes, OwnAddresses } from './own-address.ts';

describe('own addresses', () => {
  it('are addresses or subnets', () => {
    const addresses = { management: '10.89.1.7', migration: '10.89.2.0/24' };
    expect(OwnAddresses.parse(addresses)).toEqual(addresses);
    expect(OwnAddresses.safeParse({ management: 'eth0' }).success).toBe(false);
    expect(OwnAddresses.safeParse({ lan: '10.89.1.0/24' }).success).toBe(false);
  });

  it('are refused where subnets overlap, with both networks named', () => {
    const { error } = OwnAddresses.safeParse({ management: '10.89.0.0/16', 'guest-a': '10.89.6.0/24' });
    expect(error?.issues.map(({ path, message }) => [path[0], message])).toEqual([
      ['guest-a', '10.89.6.0/24 overlaps 10.89.0.0/16 of management: each network needs a subnet of its own'],
    ]);
  });

  it('lie in a subnet if the bits of its prefix are equal', () => {
    const octet = fc.nat(255);
    fc.assert(
      fc.property(fc.tuple(octet, octet, octet, octet), fc.nat(32), fc.nat(31), (octets, length, bit) => {
        const address = octets.join('.');
        expect(includes(`${address}/${length}`, address)).toBe(true);
        const index = Math.floor(bit / 8);
        const flipped = octets.with(index, (octets[index] ?? 0) ^ (0x80 >> (bit % 8))).join('.');
        expect(includes(`${address}/${length}`, flipped)).toBe(bit >= length);
      }),
    );
  });
});
