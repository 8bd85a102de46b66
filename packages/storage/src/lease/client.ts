/**
 * Leases from the holder's side: each grant is turned into a deadline on the holder's own monotonic clock, counted
 * from when the request was sent, less drift and margin (SPEC: LEASE-11). It reconnects by itself.
 */
import {
  type Epoch,
  grantDeadlineNs,
  type HostName,
  type LeaseView,
  type OwnAddress,
  storageProtocol,
  type Timing,
  type VmId,
} from '@skein/shared';
import { type Authentication, type CloseReason, type Identity, KeptLink } from '@skein/transport';

export interface LeaseClientOptions {
  readonly host: string;
  readonly port: number;
  readonly localAddress: OwnAddress;
  readonly own: Identity;
  readonly authentication: Authentication;
  readonly timing: Pick<Timing, 'driftRatio' | 'marginMs'>;
  readonly requestDeadlineMs?: number;
  /** The holder's monotonic clock, in which deadlines are given; process.hrtime unless given. */
  readonly nowNs?: () => bigint;
  readonly onUp?: () => void;
  readonly onDown?: (reason: CloseReason) => void;
}

export interface HeldLease {
  readonly epoch: Epoch;
  /** On the holder's monotonic clock (`nowNs`). */
  readonly deadlineNs: bigint;
}

const requestDeadlineMsDefault = 1000;

export class LeaseClient {
  readonly #options: LeaseClientOptions;
  readonly #link: KeptLink<typeof storageProtocol>;

  constructor(options: LeaseClientOptions) {
    this.#options = options;
    this.#link = new KeptLink({
      host: options.host,
      port: options.port,
      localAddress: options.localAddress,
      protocol: storageProtocol,
      own: options.own,
      authentication: options.authentication,
      handlers: { requests: {}, notices: {} },
      pauseMsMax: 500,
      onLink: () => options.onUp?.(),
      ...(options.onDown === undefined ? {} : { onDown: options.onDown }),
    });
  }

  get isConnected(): boolean {
    return this.#link.link !== null;
  }

  /**
   * After `link.*` errors the lease may be ours at the next epoch: a renewal of that tells.
   * @throws OperationError lease.held, lease.stale-epoch, lease.store-failed, lease.too-many, link.closed, link.timeout
   */
  acquire(vm: VmId, expectEpoch: Epoch): Promise<HeldLease> {
    return this.#held((deadlineMs) =>
      this.#link.get().request('lease.acquire', { vm, expectEpoch }, { deadlineMs }),
    );
  }

  /** @throws OperationError lease.stale-epoch, lease.not-owner, lease.not-found, link.closed, link.timeout */
  renew(vm: VmId, epoch: Epoch): Promise<HeldLease> {
    return this.#held((deadlineMs) => this.#link.get().request('lease.renew', { vm, epoch }, { deadlineMs }));
  }

  /**
   * The commit of a migration. A `lease.*` error says that it did not happen. `link.*` errors leave the outcome
   * unknown, and a pass that is still on its way may yet happen: only `acquire` resolves it, for it makes that stale.
   */
  async pass(vm: VmId, epoch: Epoch, target: HostName): Promise<Epoch> {
    const grant = await this.#link
      .get()
      .request('lease.pass', { vm, epoch, target }, { deadlineMs: this.#deadlineMs });
    return grant.epoch;
  }

  async release(vm: VmId, epoch: Epoch): Promise<void> {
    await this.#link.get().request('lease.release', { vm, epoch }, { deadlineMs: this.#deadlineMs });
  }

  async read(vm: VmId): Promise<LeaseView | null> {
    const { lease } = await this.#link.get().request('lease.read', { vm }, { deadlineMs: this.#deadlineMs });
    return lease;
  }

  /** All leases, in the order of ids; not at one moment. */
  async list(): Promise<readonly LeaseView[]> {
    const all: LeaseView[] = [];
    let after: VmId | null = null;
    do {
      const link = this.#link.get();
      const page: { leases: LeaseView[]; next: VmId | null } = await link.request(
        'lease.list',
        { after },
        { deadlineMs: this.#deadlineMs },
      );
      all.push(...page.leases);
      after = page.next;
    } while (after !== null);
    return all;
  }

  /** For a coordinator: from now on only the returned epoch may fence. */
  async claimCoordinator(): Promise<Epoch> {
    const reply = await this.#link.get().request('coordinator.claim', {}, { deadlineMs: this.#deadlineMs });
    return reply.coordinatorEpoch;
  }

  /** For a coordinator, about owners that are proven dead. @throws OperationError epoch.stale, lease.stale-epoch */
  async fence(vm: VmId, epoch: Epoch, coordinatorEpoch: Epoch): Promise<Epoch> {
    const request = { vm, epoch, coordinatorEpoch };
    const reply = await this.#link.get().request('lease.fence', request, { deadlineMs: this.#deadlineMs });
    return reply.epoch;
  }

  /** This end's address is another one now. */
  redial(): void {
    this.#link.redial('the storage network changed');
  }

  close(): void {
    this.#link.close();
  }

  get #deadlineMs(): number {
    return this.#options.requestDeadlineMs ?? requestDeadlineMsDefault;
  }

  async #held(ask: (deadlineMs: number) => Promise<{ epoch: Epoch; ttlMs: number }>): Promise<HeldLease> {
    const sentNs = (this.#options.nowNs ?? process.hrtime.bigint)();
    const grant = await ask(this.#deadlineMs);
    return { epoch: grant.epoch, deadlineNs: grantDeadlineNs(sentNs, grant.ttlMs, this.#options.timing) };
  }
}
