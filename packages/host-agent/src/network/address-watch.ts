/**
 * This host's own addresses as its interfaces have them now. Node has no news of interfaces, so they are looked at twice
 * a second; an interface that is down or without carrier has no address here.
 */
import type { HostAddresses, NetworkKind, OwnAddresses } from '@skein/shared';
import { findOwnAddress } from '@skein/transport';
import { type AddressChange, addressChanges } from '../core/address-changes.ts';

const lookPeriodMs = 500;

export class AddressWatch {
  readonly #configured: OwnAddresses;
  #current: HostAddresses;
  #timer: NodeJS.Timeout | null = null;

  constructor(configured: OwnAddresses) {
    this.#configured = configured;
    this.#current = this.#look();
  }

  get current(): HostAddresses {
    return this.#current;
  }

  start(onChange: (changes: readonly AddressChange[]) => void): void {
    this.#timer = setInterval(() => {
      const now = this.#look();
      const changes = addressChanges(this.#current, now);
      this.#current = now;
      if (changes.length > 0) onChange(changes);
    }, lookPeriodMs);
  }

  stop(): void {
    if (this.#timer !== null) clearInterval(this.#timer);
  }

  #look(): HostAddresses {
    const found: HostAddresses = {};
    for (const [network, own] of Object.entries(this.#configured) as [NetworkKind, string][]) {
      const address = findOwnAddress(own);
      if (address !== null) found[network] = address;
    }
    return found;
  }
}
