/** Finds this machine's own address in a configured subnet, at the moment of each bind and dial. */
import { networkInterfaces } from 'node:os';
import { includes, OperationError, type OwnAddress } from '@skein/shared';

/** The address itself, or this machine's first one in the subnet; null while no interface that is up has one. */
export function findOwnAddress(own: OwnAddress): string | null {
  if (!own.includes('/')) return own;
  for (const entries of Object.values(networkInterfaces())) {
    const found = entries?.find(({ family, address }) => family === 'IPv4' && includes(own, address));
    if (found !== undefined) return found.address;
  }
  return null;
}

/** @throws OperationError address.unavailable */
export function requireOwnAddress(own: OwnAddress): string {
  const found = findOwnAddress(own);
  if (found !== null) return found;
  throw new OperationError({
    code: 'address.unavailable',
    message: `no interface of this machine that is up has an address in ${own}: is it connected to that network?`,
    details: { subnet: own },
  });
}
