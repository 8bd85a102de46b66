/**
 * What this host has with its peers, on every network where hosts talk straight to each other: links over which a new
 * owner of addresses says so at once (guest-a), and the knowledge of who is heard where. What is announced while a link
 * is down follows when it is up again.
 */
import {
  type HostAddresses,
  type HostName,
  type MacOwner,
  type NetworkKind,
  type OwnAddresses,
  type PeerHost,
  type PeerPorts,
  peerNetworks,
  type SilentPeer,
  type Timing,
} from '@skein/shared';
import type { Authentication, CloseReason, Identity } from '@skein/transport';
import { type HearingTiming, PeerHearing } from '../core/peer-hearing.ts';
import { type PeerEndpoint, type PeerLink, PeerNetwork } from './peer-network.ts';

export interface PeerLinksOptions {
  readonly own: Identity;
  /** This host's address on each of its networks, or the subnet in which it is looked up. */
  readonly configured: OwnAddresses;
  /** Its addresses as they are at this moment. */
  readonly current: () => HostAddresses;
  readonly port: number;
  readonly authentication: Authentication;
  readonly timing: HearingTiming & Pick<Timing, 'peerAlivePeriodMs'>;
  /** Owners that a peer claims for itself. */
  readonly onOwners: (owners: readonly MacOwner[]) => void;
  /** All that this host owns now. */
  readonly ownOwners: () => readonly MacOwner[];
  /** A connection of somebody who is no peer. */
  readonly onRejected?: (network: NetworkKind, reason: CloseReason, address: string) => void;
  /** Somebody is heard no more (`fallenSilent`), or is heard again. */
  readonly onSilence: (fallenSilent: readonly SilentPeer[]) => void;
}

/** Where owners of addresses are announced. */
const ownerNetwork: NetworkKind = 'guest-a';
const lookPeriodMs = 100;

export class PeerLinks {
  readonly #options: PeerLinksOptions;
  readonly #networks = new Map<NetworkKind, PeerNetwork>();
  readonly #hearing: PeerHearing;
  readonly #timers: NodeJS.Timeout[];
  #peers: readonly PeerHost[] = [];
  #silent: readonly SilentPeer[] = [];

  private constructor(options: PeerLinksOptions) {
    this.#options = options;
    this.#hearing = new PeerHearing(options.timing, monotonicMs());
    for (const network of peerNetworks) {
      const address = options.configured[network];
      if (address !== undefined) this.#networks.set(network, this.#network(network, address));
    }
    this.#timers = [
      setInterval(() => this.#sayAlive(), options.timing.peerAlivePeriodMs),
      setInterval(() => this.#look(), lookPeriodMs),
    ];
  }

  /** A network that has no address yet is listened on as soon as it has. @throws OperationError address.in-use */
  static async open(options: PeerLinksOptions): Promise<PeerLinks> {
    const links = new PeerLinks(options);
    try {
      for (const [network, peers] of links.#networks)
        await peers.move(options.current()[network] !== undefined);
      return links;
    } catch (error) {
      await links.close();
      throw error;
    }
  }

  /** Where peers are listened for, on the networks that this host is connected to. */
  get ports(): PeerPorts {
    const ports: PeerPorts = {};
    for (const [network, { port }] of this.#networks) if (port !== null) ports[network] = port;
    return ports;
  }

  /** Peers that are not heard at present. */
  get silent(): readonly SilentPeer[] {
    return this.#silent;
  }

  /** For how long a peer has not been heard on a network; null: it is heard, or nothing is known of it. */
  silenceMs(host: HostName, network: NetworkKind): number | null {
    return this.#silent.find((peer) => peer.host === host && peer.network === network)?.silentMs ?? null;
  }

  /** The network is at another address now, or away. @throws OperationError address.in-use, address.unavailable */
  async move(network: NetworkKind): Promise<void> {
    const moved = this.#networks.get(network)?.move(this.#options.current()[network] !== undefined);
    this.#hearing.meetAnew(network, monotonicMs());
    this.#expectPeers();
    await moved;
  }

  /** The peers of the coordinator's view. */
  setPeers(peers: readonly PeerHost[]): void {
    this.#peers = peers.filter(({ host }) => host !== this.#options.own.name);
    for (const [network, links] of this.#networks) links.setPeers(this.#endpoints(network));
    this.#expectPeers();
  }

  /** Of each host that the coordinator's view names, and each network that it is on: is there a link to it? */
  status(): readonly { readonly host: HostName; readonly network: NetworkKind; readonly isUp: boolean }[] {
    return [...this.#networks].flatMap(([network, links]) =>
      this.#endpoints(network).map(({ host }) => ({ host, network, isUp: links.isLinked(host) })),
    );
  }

  announce(owners: readonly MacOwner[]): void {
    if (owners.length > 0) this.#networks.get(ownerNetwork)?.announce(owners);
  }

  async close(): Promise<void> {
    for (const timer of this.#timers) clearInterval(timer);
    await Promise.all([...this.#networks.values()].map((network) => network.close()));
  }

  #network(network: NetworkKind, address: string): PeerNetwork {
    const { own, port, authentication, onOwners, ownOwners, onRejected } = this.#options;
    return new PeerNetwork({
      network,
      own,
      address,
      port,
      authentication,
      onRejected: (reason, from) => onRejected?.(network, reason, from),
      onHeard: (host) => this.#hearing.heard(host, network, monotonicMs()),
      onLink: (link: PeerLink) => {
        if (network === ownerNetwork) link.notify('owners.announce', { owners: [...ownOwners()] });
      },
      onOwners: (owners) => {
        if (network === ownerNetwork) onOwners(owners);
      },
    });
  }

  #endpoints(network: NetworkKind): PeerEndpoint[] {
    return this.#peers.flatMap(({ host, addresses, peerPorts }) => {
      const [address, port] = [addresses[network], peerPorts[network]];
      return address === undefined || port === undefined ? [] : [{ host, address, port }];
    });
  }

  /** Where this host itself is not connected it hears nobody, and that is no news of its peers. */
  #expectPeers(): void {
    const current = this.#options.current();
    const expected = [...this.#networks.keys()]
      .filter((network) => current[network] !== undefined)
      .flatMap((network) => this.#endpoints(network).map(({ host }) => ({ host, network })));
    this.#hearing.expect(expected, monotonicMs());
  }

  #sayAlive(): void {
    for (const network of this.#networks.values()) network.sayAlive();
  }

  #look(): void {
    const before = this.#silent;
    this.#silent = this.#hearing.look(monotonicMs());
    const fallenSilent = this.#silent.filter((peer) => !before.some((other) => isSame(peer, other)));
    for (const { host, network } of fallenSilent) this.#networks.get(network)?.giveUp(host);
    const isNews = fallenSilent.length > 0 || this.#silent.length !== before.length;
    if (isNews) this.#options.onSilence(fallenSilent);
  }
}

function isSame(a: SilentPeer, b: SilentPeer): boolean {
  return a.host === b.host && a.network === b.network;
}

function monotonicMs(): number {
  return Number(process.hrtime.bigint()) / 1e6;
}
