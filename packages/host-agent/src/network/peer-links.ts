/**
 * Links between agents on the guest network, over which a new owner of addresses says so at once. Of two hosts the
 * one with the smaller name dials. What is announced while a link is down follows when it is up again.
 */
import {
  agentAgentProtocol,
  type HostName,
  type MacOwner,
  OperationError,
  type OwnAddress,
  type PeerHost,
} from '@skein/shared';
import {
  type Authentication,
  type Identity,
  KeptLink,
  type Link,
  type Listener,
  listen,
} from '@skein/transport';

export interface PeerLinksOptions {
  readonly own: Identity;
  /** This host's address on the guest network, or the subnet in which it is looked up. */
  readonly address: OwnAddress;
  readonly port: number;
  readonly authentication: Authentication;
  /** Owners that a peer claims for itself. */
  readonly onOwners: (owners: readonly MacOwner[]) => void;
  /** All that this host owns now. */
  readonly ownOwners: () => readonly MacOwner[];
}

type AnyLink = Link<typeof agentAgentProtocol, 'dialer'> | Link<typeof agentAgentProtocol, 'listener'>;

export class PeerLinks {
  readonly #options: PeerLinksOptions;
  readonly #links = new Map<HostName, AnyLink>();
  readonly #kept = new Map<
    HostName,
    { readonly peer: PeerHost; readonly link: KeptLink<typeof agentAgentProtocol> }
  >();
  #peers: readonly HostName[] = [];
  #listener: Listener<typeof agentAgentProtocol> | null = null;

  private constructor(options: PeerLinksOptions) {
    this.#options = options;
  }

  /** @throws OperationError address.in-use, address.unavailable */
  static async open(options: PeerLinksOptions): Promise<PeerLinks> {
    const links = new PeerLinks(options);
    await links.#listen(options.port);
    return links;
  }

  /** The guest network is at another address now, or away (then this fails): listens and dials anew. */
  async move(): Promise<void> {
    const port = this.#listener?.port ?? this.#options.port;
    for (const { link } of this.#kept.values()) link.redial('the guest network changed');
    await this.#listener?.close();
    await this.#listen(port);
  }

  async #listen(port: number): Promise<void> {
    const { own, address, authentication } = this.#options;
    this.#listener = await listen({
      host: address,
      port,
      protocol: agentAgentProtocol,
      own,
      authentication,
      handlers: {
        requests: {},
        notices: { 'owners.announce': ({ owners }, { peer }) => this.#hear(peer, owners) },
      },
      onLink: (link) => this.#adopt(link),
    });
  }

  get port(): number {
    return this.#listener?.port ?? 0;
  }

  /** The peers of the coordinator's view: dials those that are ours to dial, forgets those that are gone. */
  setPeers(peers: readonly PeerHost[]): void {
    this.#peers = peers.map(({ host }) => host).filter((host) => host !== this.#options.own.name);
    const wanted = new Map(
      peers.filter(({ host }) => this.#options.own.name < host).map((peer) => [peer.host, peer]),
    );
    for (const [host, { peer, link }] of this.#kept) {
      const next = wanted.get(host);
      if (next !== undefined && next.guestAddress === peer.guestAddress && next.peerPort === peer.peerPort)
        continue;
      link.close();
      this.#kept.delete(host);
    }
    for (const peer of wanted.values()) if (!this.#kept.has(peer.host)) this.#keep(peer);
  }

  /** Of each host that the coordinator's view names: is there a link to it? */
  status(): readonly { readonly host: HostName; readonly isUp: boolean }[] {
    return this.#peers.map((host) => ({ host, isUp: this.#links.has(host) }));
  }

  announce(owners: readonly MacOwner[]): void {
    if (owners.length === 0) return;
    for (const link of this.#links.values()) link.notify('owners.announce', { owners: [...owners] });
  }

  async close(): Promise<void> {
    for (const { link } of this.#kept.values()) link.close();
    await this.#listener?.close();
  }

  #keep(peer: PeerHost): void {
    const link = new KeptLink({
      host: peer.guestAddress,
      port: peer.peerPort,
      localAddress: this.#options.address,
      protocol: agentAgentProtocol,
      own: this.#options.own,
      authentication: this.#options.authentication,
      admit: (found) => {
        if (found.name === peer.host) return;
        throw new OperationError({
          code: 'link.unauthenticated',
          message: `${found.name} answers where ${peer.host} was expected`,
        });
      },
      handlers: {
        requests: {},
        notices: { 'owners.announce': ({ owners }, from) => this.#hear(from.peer, owners) },
      },
      onLink: (opened) => this.#adopt(opened),
    });
    this.#kept.set(peer.host, { peer, link });
  }

  #adopt(link: AnyLink): void {
    const { name } = link.peer;
    this.#links.set(name, link);
    void link.closed.then(() => {
      if (this.#links.get(name) === link) this.#links.delete(name);
    });
    link.notify('owners.announce', { owners: [...this.#options.ownOwners()] });
  }

  /** A host speaks for itself only. */
  #hear(peer: Identity, owners: readonly MacOwner[]): void {
    this.#options.onOwners(owners.filter((owner) => owner.host === peer.name));
  }
}
