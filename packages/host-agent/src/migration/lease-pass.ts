/**
 * The commit of a migration, from the source: passing the lease, and settling what became of a pass that got no
 * answer. Taking the lease back by compare-and-set is decisive, for a pass still on its way is stale from then on
 * (safety: Commit point of a migration; leases: LEASE-3).
 */
import { type Epoch, type HostName, type MigrationSourceCommand, toProblem } from '@skein/shared';
import type { TransferLeases } from './transfer-leases.ts';

export type PassOutcome =
  | { readonly kind: 'granted'; readonly epoch: Epoch }
  | { readonly kind: 'refused'; readonly reason: string }
  | { readonly kind: 'unanswered' };

export type SettledPass =
  /** The lease is ours again, at a later epoch. */
  | { readonly kind: 'reasserted'; readonly epoch: Epoch }
  | { readonly kind: 'targets'; readonly epoch: Epoch }
  | { readonly kind: 'lost'; readonly reason: string };

const retryMs = 100;
/** Answers about the lease itself. Others, of a service in trouble, say nothing about what became of a request. */
const decisiveCodes: ReadonlySet<string> = new Set([
  'lease.held',
  'lease.lost',
  'lease.not-found',
  'lease.not-owner',
  'lease.stale-epoch',
]);

export class LeasePass {
  readonly #leases: Pick<TransferLeases, 'pass' | 'acquire' | 'read'>;
  readonly #command: MigrationSourceCommand;
  readonly #host: HostName;
  #isStopped = false;

  constructor(
    leases: Pick<TransferLeases, 'pass' | 'acquire' | 'read'>,
    command: MigrationSourceCommand,
    host: HostName,
  ) {
    this.#leases = leases;
    this.#command = command;
    this.#host = host;
  }

  async pass(): Promise<PassOutcome> {
    const { vm, epoch, targetHost } = this.#command;
    try {
      return { kind: 'granted', epoch: await this.#leases.pass(vm, epoch, targetHost) };
    } catch (error) {
      const { code, message } = toProblem(error);
      return decisiveCodes.has(code) ? { kind: 'refused', reason: message } : { kind: 'unanswered' };
    }
  }

  /**
   * Resolves once the storage service has answered, however long that takes: until then both sides stay frozen. Null when it
   * does not matter any more.
   */
  async settle(): Promise<SettledPass | null> {
    while (!this.#isStopped) {
      const settled = await this.#attempt();
      if (settled !== null) return settled;
      await new Promise((resolve) => setTimeout(resolve, retryMs));
    }
    return null;
  }

  /** The migration is over, whatever became of the lease: nobody asks any more. */
  stop(): void {
    this.#isStopped = true;
  }

  async #attempt(): Promise<SettledPass | null> {
    const { vm, epoch, targetHost } = this.#command;
    try {
      const held = await this.#leases.acquire(vm, epoch);
      return { kind: 'reasserted', epoch: held.epoch };
    } catch (error) {
      if (!decisiveCodes.has(toProblem(error).code)) return null;
    }
    const lease = await this.#leases.read(vm).catch(() => null);
    if (lease === null) return null;
    if (lease.epoch === epoch + 1 && lease.owner === targetHost)
      return { kind: 'targets', epoch: lease.epoch };
    // Our own acquire went through although its answer was lost.
    if (lease.epoch === epoch + 1 && lease.owner === this.#host)
      return { kind: 'reasserted', epoch: lease.epoch };
    return { kind: 'lost', reason: `the lease is ${lease.owner ?? 'nobody'}'s at epoch ${lease.epoch}` };
  }
}
