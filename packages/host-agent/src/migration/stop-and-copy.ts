/**
 * The phase in which the guest stands: suspended, its last pages and the state of CPU and devices go to the target, which says whether
 * it has the same. What decides that the guest is suspended, and what becomes of the verdict, is the migration's (core/migration-source.ts).
 */
import { addHashes } from '@skein/machine';
import { type GuestHistory, OperationError, type Problem, toProblem } from '@skein/shared';
import type { Failpoint } from '@skein/transport';
import { finalDeadlineMs } from '../core/final-deadline.ts';
import type { TransferReply } from '../vm/vm-channel.ts';
import type { CopyRounds } from './copy-rounds.ts';
import { endMeanwhile } from './end-meanwhile.ts';
import type { MigrationLog } from './migration-log.ts';
import { bitmapBytes } from './page-bitmap.ts';
import { formatStateHash } from './page-hashes.ts';
import type { PageSender } from './page-sender.ts';
import type { TransferLink } from './source-port.ts';
import { otherHash } from './state-mismatch.ts';
import { tellHistory } from './tell-history.ts';
import type { VmLink } from './vm-link.ts';

type Suspended = Extract<TransferReply, { type: 'suspended' }>;

export interface StopAndCopyOptions {
  readonly vm: VmLink;
  readonly log: MigrationLog;
  readonly hold: (place: Failpoint) => void;
  /** All console output of the guest was posted: its history can be told. It is heard by `hearHistory`. */
  readonly onStanding: () => void;
}

/** What there is once a target has connected. */
export interface ConnectedTarget {
  readonly link: TransferLink;
  readonly rounds: CopyRounds;
  readonly sender: PageSender;
}

export class StopAndCopy {
  readonly #options: StopAndCopyOptions;
  readonly #history = Promise.withResolvers<GuestHistory>();
  #suspended: Suspended | null = null;
  #missing: Uint32Array | null = null;

  constructor(options: StopAndCopyOptions) {
    this.#options = options;
  }

  /** Pages that were left to follow the commit, a bit each; null: all were sent. */
  get missing(): Uint32Array | null {
    return this.#missing;
  }

  /** Of CPU and devices as the guest stands; 0n before it does. */
  get stateHash(): bigint {
    return this.#suspended?.stateHash ?? 0n;
  }

  hearHistory(history: GuestHistory): void {
    this.#history.resolve(history);
  }

  /** Resolves when the guest stands. @throws OperationError process.died, machine.failed */
  async suspend(): Promise<void> {
    const { vm, log, hold, onStanding } = this.#options;
    hold('migration.pre-copy.after');
    hold('migration.suspend.before');
    log.mark('suspendRequestedNs');
    this.#suspended = await vm.ask({ type: 'suspend' }, 'suspended');
    log.moments.suspendedNs = this.#suspended.suspendedAtNs;
    onStanding();
    hold('migration.suspend.after');
    this.#drain();
  }

  /**
   * What the guest wrote must be on its disk before its lease passes.
   * Omitted: disks, which VMs of a cluster do not have; nothing is in flight here when the vCPU stands.
   */
  #drain(): void {
    this.#options.hold('migration.drain.before');
    this.#options.hold('migration.drain.after');
  }

  /** Null: the target is there, and has all that it must have before the lease passes. @throws OperationError link.closed */
  async send(target: ConnectedTarget): Promise<Problem | null> {
    const { log, hold } = this.#options;
    const { link, rounds, sender } = target;
    const suspended = this.#suspended;
    if (suspended === null) throw new OperationError({ code: 'internal', message: 'not suspended' });
    hold('migration.final-state.before');
    link.notify('migration.state', { state: suspended.state });
    this.#missing = await rounds.last();
    log.stateHashSource = addHashes(sender.hashes.sum, suspended.stateHash);
    // The last round has only been sent, all others were applied; where the rest follows later nothing is on its way.
    const deadlineMs = finalDeadlineMs(sender.onTheWayBytes, log.rounds.slice(0, -1));
    const answer = this.#ask(target, suspended, deadlineMs);
    log.mark('finalSentNs');
    hold('migration.final-state.after');
    const historyTold = tellHistory(link, this.#history.promise, deadlineMs);
    const refusal = await answer;
    log.mark('readyHeardNs');
    await historyTold;
    hold('migration.lease-pass.before');
    return refusal ?? (await endMeanwhile(link));
  }

  /** What the target says to the whole; null: it has the same. */
  #ask(
    { link, sender }: ConnectedTarget,
    { guestTicks, suspendedAtNs }: Suspended,
    deadlineMs: number,
  ): Promise<Problem | null> {
    const stateHash = formatStateHash(this.#options.log.stateHashSource);
    const missing = this.#missing === null ? null : bitmapBytes(this.#missing);
    const { batches } = sender;
    return link
      .request('migration.final', { stateHash, guestTicks, suspendedAtNs, batches, missing }, { deadlineMs })
      .then(
        ({ stateHashTarget }) => otherHash(stateHashTarget, stateHash),
        (error: unknown) => toProblem(error),
      );
  }
}
