/**
 * The other hosts' tunnel ends: by host for sending, by outer source address for telling who sent. That mapping
 * is what ownership of a frame from outside rests on, so one address belongs to one host.
 */
import { OperationError } from '@skein/shared';
import type { Peer } from './forward.ts';

export class PeerTable {
  readonly #ownHost: string;
  readonly #byHost = new Map<string, Peer>();
  readonly #byAddress = new Map<string, Peer>();

  constructor(ownHost: string) {
    this.#ownHost = ownHost;
  }

  get byHost(): ReadonlyMap<string, Peer> {
    return this.#byHost;
  }

  get byAddress(): ReadonlyMap<string, Peer> {
    return this.#byAddress;
  }

  /**
   * Makes `peers` the whole table; an entry for the own host is left out. Returns the hosts that are gone or whose
   * address changed. Throws `request.invalid`, changing nothing, when two entries name one host or one address.
   */
  replace(peers: readonly Peer[]): string[] {
    const others = peers.filter((peer) => peer.host !== this.#ownHost);
    refuseTwins(others, 'host');
    refuseTwins(others, 'address');
    const next = new Map(others.map((peer) => [peer.host, peer]));
    const left = [...this.#byHost.values()]
      .filter((peer) => next.get(peer.host)?.address !== peer.address)
      .map((peer) => peer.host);
    this.#byHost.clear();
    this.#byAddress.clear();
    for (const peer of others) {
      this.#byHost.set(peer.host, { ...peer });
      this.#byAddress.set(peer.address, { ...peer });
    }
    return left;
  }
}

function refuseTwins(peers: readonly Peer[], field: 'host' | 'address'): void {
  const seen = new Map<string, Peer>();
  for (const peer of peers) {
    const twin = seen.get(peer[field]);
    if (twin !== undefined) {
      const message = `Two peers have the ${field} ${peer[field]} (${twin.host}, ${peer.host}): frames could not be told apart.`;
      throw new OperationError({ code: 'request.invalid', message, details: { [field]: peer[field] } });
    }
    seen.set(peer[field], peer);
  }
}
