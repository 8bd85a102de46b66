/** How a run of a machine ended, and when it has something to do again. */

/**
 * limit: all steps are used. idle: the hart waits. attention: someone poked, or devices have taken the time that there
 * was. halt: the machine is off.
 */
export type StopReason = 'limit' | 'idle' | 'attention' | 'halt';

export interface RunResult {
  readonly steps: number;
  readonly reason: StopReason;
  /** How often devices worked, which takes time beside that of the steps. */
  readonly deviceTurns: number;
}

/** When an idle machine has something to do again, inputs apart. */
export type Wake =
  | { readonly kind: 'now' }
  | { readonly kind: 'at'; readonly guestTicks: bigint }
  | { readonly kind: 'never' };
