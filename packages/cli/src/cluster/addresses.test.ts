import { createSocket } from 'node:dgram';
import { vxlanPortDefault } from '@skein/shared';
import { describe, expect, it } from 'vitest';
import { addressesOf, findFreeAddresses } from './addresses.ts';

describe('addresses of a cluster', () => {
  it('are those of the next number when a host of another cluster has its port', async () => {
    const first = await findFreeAddresses(2, 100);
    const taken = createSocket('udp4');
    const address = first.hosts[1]?.['guest-a'] ?? '';
    await new Promise<void>((resolve) => taken.bind({ address, port: vxlanPortDefault }, resolve));
    const second = await findFreeAddresses(2, 100);
    await new Promise<void>((resolve) => taken.close(resolve));
    expect(second.clusterNumber).toBeGreaterThan(first.clusterNumber);
    expect((await findFreeAddresses(2, 100)).clusterNumber).toBe(first.clusterNumber);
  });

  it('leave 127.0.0.0/16 to the machine itself', () => {
    expect(addressesOf(20, 1).coordinator.management).toBe('127.20.1.1');
  });
});
