import { describe, expect, it } from 'vitest';
import { parseAddressSpaceLimit } from './address-space.ts';

describe('the limit of the address space', () => {
  it('is read from what the kernel says of a process', () => {
    const line = (soft: string) =>
      `Limit  Soft Limit  Hard Limit  Units\nMax address space         ${soft}   unlimited  bytes\n`;
    expect(parseAddressSpaceLimit(line('8589934592'))).toBe(8 * 2 ** 30);
    expect(parseAddressSpaceLimit(line('unlimited'))).toBeNull();
    expect(parseAddressSpaceLimit('')).toBeNull();
  });
});
