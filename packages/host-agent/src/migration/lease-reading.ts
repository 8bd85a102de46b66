/** A ready target that heard no grant asks the storage service whose the guest is: the lease decides, never a guess. */
import type { LeaseView } from '@skein/shared';
import type { LeaseReading, TargetEvent } from '../core/migration-target.ts';
import type { Deadlines } from './deadlines.ts';
import type { TargetAssignment } from './transfer-channel.ts';
import type { TransferLeases } from './transfer-leases.ts';

const readPeriodMs = 100;
/** Ten times as long as a pass may take: by then the source has gone on. */
const undecidedMsMax = 10_000;

export interface LeaseReaderOptions {
  readonly assignment: TargetAssignment;
  readonly leases: Pick<TransferLeases, 'read'>;
  readonly deadlines: Deadlines;
  readonly feed: (event: TargetEvent) => void;
  /** It is not known yet whose the guest is. */
  readonly isDue: () => boolean;
}

export class LeaseReader {
  readonly #options: LeaseReaderOptions;

  constructor(options: LeaseReaderOptions) {
    this.#options = options;
  }

  /** For the first time. */
  begin(): void {
    this.#decideInTime();
    void this.#read();
  }

  again(): void {
    this.#options.deadlines.set('read', readPeriodMs, () => void this.#read());
  }

  async #read(): Promise<void> {
    const { leases, assignment, feed, isDue } = this.#options;
    if (!isDue()) return;
    const reading = await leases.read(assignment.command.vm).then(
      (lease) => readingOf(lease, assignment),
      () => null,
    );
    if (!isDue()) return;
    // While the lease cannot be read nothing may be concluded from the time that passes.
    if (reading === null) this.#decideInTime();
    feed({ type: 'lease-read', reading: reading ?? 'undecided' });
  }

  #decideInTime(): void {
    const { deadlines, feed } = this.#options;
    deadlines.set('undecided', undecidedMsMax, () => feed({ type: 'undecided-too-long' }));
  }
}

/** While the source holds it, it may still pass it. */
function readingOf(lease: LeaseView | null, { command, host }: TargetAssignment): LeaseReading {
  const { epoch, sourceHost } = command;
  if (lease?.owner === host && lease.epoch === epoch + 1) return 'mine';
  const isSources = lease?.owner === sourceHost && lease.epoch === epoch && lease.remainingMs > 0;
  return isSources ? 'undecided' : 'not-mine';
}
