/**
 * The lease service: serves the rules over links. About each VM it decides one request after the other, and a
 * decision waits for the disk before the next one; memory follows disk.
 */
import {
  type LeaseGrant,
  type LeaseView,
  leasesPerPage,
  OperationError,
  recoveryMs,
  storageProtocol,
  type Timing,
  type VmId,
} from '@skein/shared';
import {
  type Authentication,
  type CloseReason,
  failpoint,
  type Handlers,
  type Identity,
  type Listener,
  listen,
} from '@skein/transport';
import { decideLease, type Holder, type Lease, type LeaseRequest } from './rules.ts';
import { LeaseStore } from './store.ts';

export interface LeaseServiceOptions {
  readonly stateDirectory: string;
  readonly address: string;
  readonly port: number;
  readonly bootId: string;
  readonly authentication: Authentication;
  readonly timing: Timing;
  /** Monotonic. */
  readonly nowNs: () => bigint;
  /** The disk does not say what it holds. No answer leaves any more; the process must end. */
  readonly onFatal: (error: OperationError) => void;
  readonly onRejected?: (reason: CloseReason, address: string) => void;
  /** A link ended other than by being closed. */
  readonly onLinkEnded?: (reason: CloseReason, peer: Identity) => void;
  readonly onDecision?: (request: LeaseRequest, outcome: string) => void;
  /** Each request as it was decided, also a renewal, which changes no owner. */
  readonly onDecided?: (type: LeaseRequest['type'], outcome: string) => void;
  readonly onSynced?: (durationMs: number) => void;
}

/** VM ids are never given again, so leases pile up; so many are 15 MB of log, and more are somebody's mistake. */
const leasesMax = 100_000;
const maxPayloadBytes = 64 << 10;

export class LeaseService {
  readonly #options: LeaseServiceOptions;
  readonly #store: LeaseStore;
  readonly #leases = new Map<VmId, Lease>();
  readonly #turns = new Map<string, Promise<unknown>>();
  #listener: Listener<typeof storageProtocol> | null = null;

  private constructor(options: LeaseServiceOptions, store: LeaseStore) {
    this.#options = options;
    this.#store = store;
    const heldMs = recoveryMs(options.timing.vmLeaseTtlMs, options.timing);
    const untilNs = options.nowNs() + BigInt(Math.ceil(heldMs)) * 1_000_000n;
    for (const lease of store.book.leases.values())
      this.#leases.set(lease.vm, { ...lease, counter: 0, untilNs });
  }

  /**
   * @throws OperationError lease.store-corrupt, lease.store-in-use, lease.store-failed, address.in-use,
   * address.unavailable
   */
  static async start(options: LeaseServiceOptions): Promise<LeaseService> {
    let service: LeaseService | null = null;
    const onFatal = (error: OperationError): void => {
      // All links are closed before any of the waiting handlers can answer.
      if (service !== null) void service.#listener?.close();
      options.onFatal(error);
    };
    const { stateDirectory: directory, onSynced } = options;
    const store = await LeaseStore.open({
      directory,
      onFatal,
      ...(onSynced === undefined ? {} : { onSynced }),
    });
    try {
      service = new LeaseService(options, store);
      service.#listener = await service.#listen();
      return service;
    } catch (error) {
      await store.close();
      throw error;
    }
  }

  get address(): string {
    return this.#listener?.address ?? '';
  }

  get port(): number {
    return this.#listener?.port ?? 0;
  }

  /** Roles of the peers that have a link at present. */
  get linkRoles(): readonly string[] {
    return [...(this.#listener?.links ?? [])].map(({ peer }) => peer.role);
  }

  /** Leases by what they are at present. */
  counts(): { held: number; expired: number; free: number } {
    const nowNs = this.#options.nowNs();
    const counts = { held: 0, expired: 0, free: 0 };
    for (const { owner, untilNs } of this.#leases.values()) {
      if (owner === null) counts.free += 1;
      else counts[untilNs > nowNs ? 'held' : 'expired'] += 1;
    }
    return counts;
  }

  async close(): Promise<void> {
    await this.#listener?.close();
    await Promise.allSettled(this.#turns.values());
    await this.#store.close();
  }

  #listen(): Promise<Listener<typeof storageProtocol>> {
    const { address, port, bootId, authentication, onRejected, onLinkEnded } = this.#options;
    return listen({
      host: address,
      port,
      protocol: storageProtocol,
      own: { role: 'storage', name: 'storage', bootId },
      authentication,
      maxPayloadBytes,
      onLink: (link) => void link.closed.then((reason) => onLinkEnded?.(reason, link.peer)),
      ...(onRejected === undefined ? {} : { onRejected }),
      handlers: this.#handlers(),
    });
  }

  #handlers(): Handlers<typeof storageProtocol, 'listener'> {
    return {
      requests: {
        'lease.acquire': ({ vm, expectEpoch }, { peer }) =>
          this.#change({ type: 'acquire', vm, by: holderOf(peer), expectEpoch }),
        'lease.renew': ({ vm, epoch }, { peer }) =>
          this.#change({ type: 'renew', vm, by: holderOf(peer), epoch }),
        'lease.pass': ({ vm, epoch, target }, { peer }) =>
          this.#change({ type: 'pass', vm, by: holderOf(peer), epoch, target }),
        'lease.release': async ({ vm, epoch }, { peer }) => {
          await this.#change({ type: 'release', vm, by: holderOf(peer), epoch });
          return {};
        },
        'lease.fence': async ({ vm, epoch, coordinatorEpoch }, { peer }) => {
          requireCoordinator(peer);
          const lease = await this.#change({ type: 'fence', vm, epoch, coordinatorEpoch });
          return { epoch: lease.epoch };
        },
        'lease.read': ({ vm }) => this.#inTurn(vm, () => ({ lease: this.#view(this.#leases.get(vm)) })),
        'lease.list': ({ after }) => this.#list(after),
        'coordinator.claim': (_, { peer }) => {
          requireCoordinator(peer);
          return this.#inTurn('coordinator', () => this.#claim());
        },
      },
      notices: {},
    };
  }

  /** Waits for all that was asked about `key` before. */
  #inTurn<T>(key: string, work: () => Promise<T> | T): Promise<T> {
    const before = this.#turns.get(key) ?? Promise.resolve();
    const turn = before.then(work);
    const settled = turn.then(
      () => {},
      () => {},
    );
    this.#turns.set(key, settled);
    void settled.then(() => {
      if (this.#turns.get(key) === settled) this.#turns.delete(key);
    });
    return turn;
  }

  #change(request: LeaseRequest): Promise<LeaseGrant> {
    return this.#inTurn(request.vm, () => this.#decide(request));
  }

  async #decide(request: LeaseRequest): Promise<LeaseGrant> {
    const { nowNs, timing, onDecision, onDecided } = this.#options;
    const ttlMs = timing.vmLeaseTtlMs;
    const before = this.#leases.get(request.vm);
    if (before === undefined && this.#leases.size >= leasesMax) {
      const message = `there are ${leasesMax} leases already: this storage service takes no more`;
      throw new OperationError({ code: 'lease.too-many', message });
    }
    const { coordinatorEpoch } = this.#store.book;
    const decision = decideLease(before, request, { nowNs: nowNs(), ttlMs, coordinatorEpoch });
    if (decision.kind === 'refused') {
      onDecided?.(request.type, decision.code);
      onDecision?.(request, decision.code);
      throw new OperationError({ code: decision.code, message: decision.reason });
    }
    const { lease } = decision;
    if (decision.mustPersist) {
      const { vm, owner, boot, epoch } = lease;
      await this.#store.put({ vm, owner, boot, epoch });
      onDecision?.(request, 'granted');
    }
    if (request.type === 'pass') failpoint('migration.lease-pass.recorded');
    this.#leases.set(request.vm, lease);
    onDecided?.(request.type, 'granted');
    return { epoch: lease.epoch, ttlMs };
  }

  async #claim(): Promise<{ coordinatorEpoch: number }> {
    const coordinatorEpoch = this.#store.book.coordinatorEpoch + 1;
    await this.#store.put({ coordinatorEpoch });
    return { coordinatorEpoch };
  }

  #list(after: VmId | null): { leases: LeaseView[]; next: VmId | null } {
    const ids = [...this.#leases.keys()].filter((vm) => after === null || vm > after).sort();
    const page = ids.slice(0, leasesPerPage);
    const leases = page.flatMap((vm) => this.#view(this.#leases.get(vm)) ?? []);
    return { leases, next: ids.length > page.length ? (page.at(-1) ?? null) : null };
  }

  #view(lease: Lease | undefined): LeaseView | null {
    if (lease === undefined) return null;
    const leftNs = lease.owner === null ? 0n : lease.untilNs - this.#options.nowNs();
    const { vm, owner, epoch, counter } = lease;
    return { vm, owner, epoch, counter, remainingMs: Math.max(0, Number(leftNs) / 1e6) };
  }
}

function holderOf(peer: Identity): Holder {
  if (peer.role !== 'coordinator') return { host: peer.name, boot: peer.bootId };
  throw new OperationError({
    code: 'lease.not-owner',
    message: 'the coordinator reads leases, it does not hold them',
  });
}

function requireCoordinator(peer: Identity): void {
  if (peer.role === 'coordinator') return;
  throw new OperationError({
    code: 'lease.not-owner',
    message: `only a coordinator fences, not ${peer.role} ${peer.name}`,
  });
}
