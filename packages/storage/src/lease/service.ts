/** The lease service: serves the rules over links. It works on one request after the other; memory follows disk. */
import {
  type HostName,
  type LeaseGrant,
  type LeaseView,
  OperationError,
  recoveryMs,
  storageProtocol,
  type Timing,
  type VmId,
} from '@skein/shared';
import {
  type Authentication,
  type CloseReason,
  type Identity,
  type Listener,
  listen,
} from '@skein/transport';
import { decideLease, type Lease, type LeaseRequest } from './rules.ts';
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
  readonly onRejected?: (reason: CloseReason, address: string) => void;
  readonly onDecision?: (request: LeaseRequest, outcome: string) => void;
}

/** Who may have links: agents (for their own host) and the coordinator (to read). */
const roles = new Set(['agent', 'transfer', 'coordinator']);

export class LeaseService {
  readonly #options: LeaseServiceOptions;
  readonly #store: LeaseStore;
  readonly #leases = new Map<VmId, Lease>();
  /** Per VM: a decision waits for the disk before the next one is made. */
  readonly #turns = new Map<VmId, Promise<unknown>>();
  #listener: Listener<typeof storageProtocol> | null = null;

  private constructor(options: LeaseServiceOptions, store: LeaseStore) {
    this.#options = options;
    this.#store = store;
    const heldMs = recoveryMs(options.timing.vmLeaseTtlMs, options.timing);
    const untilNs = options.nowNs() + BigInt(Math.ceil(heldMs)) * 1_000_000n;
    for (const lease of store.all) this.#leases.set(lease.vm, { ...lease, counter: 0, untilNs });
  }

  /** @throws OperationError lease.store-corrupt, address.in-use, address.unavailable */
  static async start(options: LeaseServiceOptions): Promise<LeaseService> {
    const store = await LeaseStore.open(options.stateDirectory);
    const service = new LeaseService(options, store);
    service.#listener = await service.#listen();
    return service;
  }

  get port(): number {
    return this.#listener?.port ?? 0;
  }

  async close(): Promise<void> {
    await this.#listener?.close();
    await Promise.allSettled(this.#turns.values());
    await this.#store.close();
  }

  #listen(): Promise<Listener<typeof storageProtocol>> {
    const { options } = { options: this.#options };
    return listen({
      host: options.address,
      port: options.port,
      protocol: storageProtocol,
      own: { role: 'storage', name: 'storage', bootId: options.bootId },
      authentication: options.authentication,
      maxPayloadBytes: 64 << 10,
      admit: refuseOtherRoles,
      ...(options.onRejected === undefined ? {} : { onRejected: options.onRejected }),
      handlers: {
        requests: {
          'lease.acquire': ({ vm, expectEpoch }, { peer }) =>
            this.#change({ type: 'acquire', vm, by: hostOf(peer), expectEpoch }),
          'lease.renew': ({ vm, epoch }, { peer }) =>
            this.#change({ type: 'renew', vm, by: hostOf(peer), epoch }),
          'lease.pass': ({ vm, epoch, target }, { peer }) =>
            this.#change({ type: 'pass', vm, by: hostOf(peer), epoch, target }),
          'lease.release': async ({ vm, epoch }, { peer }) => {
            await this.#change({ type: 'release', vm, by: hostOf(peer), epoch });
            return {};
          },
          'lease.read': ({ vm }) => ({ lease: this.#view(this.#leases.get(vm)) }),
          'lease.list': () => ({
            leases: [...this.#leases.values()].flatMap((lease) => this.#view(lease) ?? []),
          }),
        },
        notices: {},
      },
    });
  }

  #change(request: LeaseRequest): Promise<LeaseGrant> {
    const before = this.#turns.get(request.vm) ?? Promise.resolve();
    const turn = before.then(() => this.#decide(request));
    const settled = turn.catch(() => {});
    this.#turns.set(request.vm, settled);
    void settled.then(() => {
      if (this.#turns.get(request.vm) === settled) this.#turns.delete(request.vm);
    });
    return turn;
  }

  async #decide(request: LeaseRequest): Promise<LeaseGrant> {
    const ttlMs = this.#options.timing.vmLeaseTtlMs;
    const decision = decideLease(this.#leases.get(request.vm), request, this.#options.nowNs(), ttlMs);
    if (decision.kind === 'refused') {
      this.#options.onDecision?.(request, decision.code);
      throw new OperationError({ code: decision.code, message: decision.reason });
    }
    const { lease } = decision;
    if (decision.mustPersist) {
      await this.#store.put({ vm: lease.vm, owner: lease.owner, epoch: lease.epoch });
      this.#options.onDecision?.(request, 'granted');
    }
    this.#leases.set(request.vm, lease);
    return { epoch: lease.epoch, ttlMs };
  }

  #view(lease: Lease | undefined): LeaseView | null {
    if (lease === undefined) return null;
    const leftNs = lease.owner === null ? 0n : lease.untilNs - this.#options.nowNs();
    const { vm, owner, epoch, counter } = lease;
    return { vm, owner, epoch, counter, remainingMs: Math.max(0, Number(leftNs) / 1e6) };
  }
}

function refuseOtherRoles(peer: Identity): void {
  if (roles.has(peer.role)) return;
  throw new OperationError({
    code: 'link.unauthenticated',
    message: `the storage service serves no ${peer.role}`,
  });
}

function hostOf(peer: Identity): HostName {
  if (peer.role !== 'coordinator') return peer.name;
  throw new OperationError({
    code: 'lease.not-owner',
    message: 'the coordinator reads leases, it does not hold them',
  });
}
