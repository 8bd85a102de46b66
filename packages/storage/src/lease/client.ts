/**
 * Leases from the holder's side: each grant is turned into a deadline on the holder's own monotonic clock, counted
 * from when the request was sent, less drift and margin (SPEC: LEASE-11). It reconnects by itself.
 */
import {
  type Epoch,
  grantDeadlineNs,
  type HostName,
  type LeaseView,
  storageProtocol,
  type Timing,
  type VmId,
} from '@skein/shared';
import { type Authentication, type CloseReason, type Identity, KeptLink } from '@skein/transport';

export interface LeaseClientOptions {
  readonly host: string;
  readonly port: number;
  readonly localAddress: string;
  readonly own: Identity;
  readonly authentication: Authentication;
  readonly timing: Pick<Timing, 'driftRatio' | 'marginMs'>;
  readonly requestDeadlineMs?: number;
  readonly onUp?: () => void;
  readonly onDown?: (reason: CloseReason) => void;
}

export interface HeldLease {
  readonly epoch: Epoch;
  /** On this process's monotonic clock (process.hrtime). */
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

  /** @throws OperationError lease.held, lease.stale-epoch, link.closed, link.timeout */
  acquire(vm: VmId, expectEpoch: Epoch): Promise<HeldLease> {
    return this.#held((deadlineMs) =>
      this.#link.get().request('lease.acquire', { vm, expectEpoch }, { deadlineMs }),
    );
  }

  /** @throws OperationError lease.stale-epoch, lease.not-owner, lease.not-found, link.closed, link.timeout */
  renew(vm: VmId, epoch: Epoch): Promise<HeldLease> {
    return this.#held((deadlineMs) => this.#link.get().request('lease.renew', { vm, epoch }, { deadlineMs }));
  }

  /** The commit of a migration. `link.*` errors leave the outcome unknown: resolve it by `acquire`, never guess. */
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

  close(): void {
    this.#link.close();
  }

  get #deadlineMs(): number {
    return this.#options.requestDeadlineMs ?? requestDeadlineMsDefault;
  }

  async #held(ask: (deadlineMs: number) => Promise<{ epoch: Epoch; ttlMs: number }>): Promise<HeldLease> {
    const sentNs = process.hrtime.bigint();
    const grant = await ask(this.#deadlineMs);
    return { epoch: grant.epoch, deadlineNs: grantDeadlineNs(sentNs, grant.ttlMs, this.#options.timing) };
  }
}
