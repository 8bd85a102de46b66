/** What a run of the migration bench needs of either side: a guest that is typed at, observed, and moved once more. */
import type { ConsoleObserver } from './observer.ts';
import type { Window } from './tick-gaps.ts';

/** Both sides try to keep the guest's pause below it. */
export const downtimeBudgetMs = 10;
/** A migration that has not ended by then did not converge. */
export const migrationDeadlineMs = 15_000;

export interface Moved {
  /** From the order to the end at the source, on the bench's clock. */
  readonly window: Window;
  /** By the side's own account, as are the next two. */
  readonly totalMs: number;
  readonly downtimeMs: number;
  readonly bytes: number;
  /** User and system time of the two processes, the guest's own work included. */
  readonly cpuS: number;
  /** By how much the vCPU was slowed at the most, so that the rest would fit. */
  readonly throttlePercentMax: number;
  /** What was left fitted the downtime budget by itself. False: nothing moved, or it was forced. */
  readonly isConverged: boolean;
  /** False: the guest still runs where it was. */
  readonly hasMoved: boolean;
  /** What the side says about it, for people. */
  readonly remark: string;
}

export interface MovingGuest {
  readonly observer: ConsoleObserver;
  type(text: string): void;
  /** Whatever can be done before the workload is measured. */
  prepare(): Promise<void>;
  migrate(): Promise<Moved>;
}

/** One way to migrate, with the guests that it boots. */
export interface Side {
  readonly name: string;
  /** The guest, booted anew where there is none. */
  guest(): Promise<MovingGuest>;
  /** The guest was lost on its way: goes on with what stands still at the source, where that can be. */
  takeBack(): Promise<void>;
  /** The guest is in doubt: the next one boots anew. */
  discard(): Promise<void>;
}
