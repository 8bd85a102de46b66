/** What a replay comes to. */
import type { MigrationSettings, PrecopyEnd } from '../../model/migration.ts';

export interface ReplayedRound {
  readonly round: number;
  readonly phase: 'pre-copy' | 'stop-and-copy';
  readonly pages: number;
  readonly zeroPages: number;
  readonly freePages: number;
  readonly deltaPages: number;
  readonly bytes: number;
  readonly startedMs: number;
  readonly durationMs: number;
  readonly throttlePercent: number;
  readonly remainingPages: number;
  /** Null of the last pages of a guest that stands. */
  readonly predictedDowntimeMs: number | null;
}

export interface ReplayedPostcopy {
  readonly pages: number;
  readonly bytes: number;
  readonly durationMs: number;
}

export interface Replay {
  readonly settings: MigrationSettings;
  readonly outcome: 'committed' | 'given-up' | 'deadline';
  readonly precopyEnd: PrecopyEnd | null;
  readonly rounds: readonly ReplayedRound[];
  readonly totalMs: number;
  /** Pages that would have followed when the guest ran at the target; null: none. */
  readonly postcopy: ReplayedPostcopy | null;
  /** Null where the guest would never have been stopped. */
  readonly downtimeMs: number | null;
  readonly pages: number;
  readonly bytes: number;
  readonly throttlePercentMax: number;
  /** Sentences that say what was taken for granted. */
  readonly assumptions: readonly string[];
}
