/**
 * Links to all other agents on one network, from this host's own address there. Of two hosts the one with the smaller
 * name dials. On each link both sides say that they are there, so that each knows whom it hears on this network.
 */
import {
  agentAgentProtocol,
  type HostName,
  type MacOwner,
  type NetworkKind,
  OperationError,
  type OwnAddress,
} from '@skein/shared';
import {
  type Authentication,
  type CloseReason,
  type Handlers,
  type Identity,
  KeptLink,
  type Link,
  type Listener,
  listen,
} from '@skein/transport';

type Protocol = typeof agentAgentProtocol;
export type PeerLink = Link<Protocol, 'dialer'> | Link<Protocol, 'listener'>;

/** Where a peer listens on this network. */
export interface PeerEndpoint {
  readonly host: HostName;
  readonly address: string;
  readonly port: number;
}

export interface PeerNetworkOptions {
  readonly network: NetworkKind;
  readonly own: Identity;
  /** This host's address on the network, or the subnet in which it is looked up. */
  readonly address: OwnAddress;
  /** 0 asks for a free one, which is then kept. */
  readonly port: number;
  readonly authentication: Authentication;
  /** A connection of somebody who is no peer. */
  readonly onRejected: (reason: CloseReason, address: string) => void;
  readonly onHeard: (host: HostName) => void;
  readonly onLink: (link: PeerLink) => void;
  /** Owners of addresses that a peer claims for itself. */
  readonly onOwners: (owners: readonly MacOwner[]) => void;
}

interface Kept {
  readonly peer: PeerEndpoint;
  readonly link: KeptLink<Protocol>;
}

/** After a partition has healed, hosts find each other again within a few seconds. */
const redialPauseMsMax = 500;

export class PeerNetwork {
  readonly #options: PeerNetworkOptions;
  readonly #links = new Map<HostName, PeerLink>();
  readonly #kept = new Map<HostName, Kept>();
  #listener: Listener<Protocol> | null = null;
  #port: number;
  #moving: Promise<void> = Promise.resolve();

  constructor(options: PeerNetworkOptions) {
    this.#options = options;
    this.#port = options.port;
  }

  /** Null until it has listened for the first time. */
  get port(): number | null {
    return this.#port === 0 || this.#listener === null ? null : this.#port;
  }

  /**
   * Listens at the own address as it is now, and dials from there; `isConnected` false: not at all.
   * @throws OperationError address.in-use, address.unavailable
   */
  move(isConnected: boolean): Promise<void> {
    const moved = this.#moving.catch(() => {}).then(() => this.#move(isConnected));
    this.#moving = moved;
    return moved;
  }

  /** Dials the peers that are ours to dial, forgets those that are gone. */
  setPeers(peers: readonly PeerEndpoint[]): void {
    const wanted = new Map(
      peers.filter(({ host }) => this.#options.own.name < host).map((peer) => [peer.host, peer]),
    );
    for (const [host, { peer, link }] of this.#kept) {
      const next = wanted.get(host);
      if (next !== undefined && next.address === peer.address && next.port === peer.port) continue;
      link.close();
      this.#kept.delete(host);
    }
    for (const peer of wanted.values())
      if (!this.#kept.has(peer.host)) this.#kept.set(peer.host, { peer, link: this.#keep(peer) });
  }

  isLinked(host: HostName): boolean {
    return this.#links.has(host);
  }

  sayAlive(): void {
    for (const link of this.#links.values()) link.notify('peer.alive', {});
  }

  announce(owners: readonly MacOwner[]): void {
    for (const link of this.#links.values()) link.notify('owners.announce', { owners: [...owners] });
  }

  /** A peer that is not heard: its connection is given up, for TCP would wait for ever longer times to repeat itself. */
  giveUp(host: HostName): void {
    this.#links.get(host)?.close('nothing is heard');
  }

  async close(): Promise<void> {
    for (const { link } of this.#kept.values()) link.close();
    await this.#moving.catch(() => {});
    await this.#listener?.close();
  }

  async #move(isConnected: boolean): Promise<void> {
    for (const { link } of this.#kept.values()) link.redial(`the ${this.#options.network} network changed`);
    await this.#listener?.close();
    this.#listener = null;
    if (isConnected) this.#listener = await this.#listen();
  }

  async #listen(): Promise<Listener<Protocol>> {
    const { own, address, authentication } = this.#options;
    const listener = await listen({
      host: address,
      port: this.#port,
      protocol: agentAgentProtocol,
      own,
      authentication,
      handlers: this.#handlers(),
      onLink: (link) => this.#adopt(link),
      onRejected: this.#options.onRejected,
    });
    this.#port = listener.port;
    return listener;
  }

  #keep(peer: PeerEndpoint): KeptLink<Protocol> {
    return new KeptLink({
      host: peer.address,
      port: peer.port,
      localAddress: this.#options.address,
      protocol: agentAgentProtocol,
      own: this.#options.own,
      authentication: this.#options.authentication,
      pauseMsMax: redialPauseMsMax,
      admit: (found) => {
        if (found.name === peer.host) return;
        throw new OperationError({
          code: 'link.unauthenticated',
          message: `${found.name} answers where ${peer.host} was expected`,
        });
      },
      handlers: this.#handlers(),
      onLink: (opened) => this.#adopt(opened),
    });
  }

  #handlers(): Handlers<Protocol, 'dialer'> & Handlers<Protocol, 'listener'> {
    const { onHeard, onOwners } = this.#options;
    return {
      requests: {},
      notices: {
        'peer.alive': (_, { peer }) => onHeard(peer.name),
        // A host speaks for itself only.
        'owners.announce': ({ owners }, { peer }) =>
          onOwners(owners.filter((owner) => owner.host === peer.name)),
      },
    };
  }

  /** That its handshake was completed is a sign of life too. */
  #adopt(link: PeerLink): void {
    const { name } = link.peer;
    this.#links.get(name)?.close('there is a newer link');
    this.#links.set(name, link);
    void link.closed.then(() => {
      if (this.#links.get(name) === link) this.#links.delete(name);
    });
    this.#options.onHeard(name);
    this.#options.onLink(link);
  }
}
