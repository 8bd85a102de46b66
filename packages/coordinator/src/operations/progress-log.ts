/**
 * How far running migrations are, in memory alone: the record that each leaves is what is kept. A source tells its last
 * round with each message; who asks now and then shall miss none, so all of them are collected here.
 */
import type { MigrationProgress, MigrationRound, OperationId, OperationProgress } from '@skein/shared';

/** Many times what a migration needs: a bound against a source that never ends. */
const roundsKept = 1000;

export class ProgressLog {
  readonly #progress = new Map<OperationId, OperationProgress>();

  /** Null where nothing was told yet, or after a restart of the coordinator. */
  of(operation: OperationId): OperationProgress | null {
    return this.#progress.get(operation) ?? null;
  }

  note(progress: MigrationProgress): void {
    const before = this.#progress.get(progress.operation)?.rounds ?? [];
    const rounds = withRound(before, progress.lastRound);
    this.#progress.set(progress.operation, { ...progress, rounds });
  }

  forget(operation: OperationId): void {
    this.#progress.delete(operation);
  }
}

/** A round that is told again takes its own place. */
function withRound(rounds: readonly MigrationRound[], round: MigrationRound | null): MigrationRound[] {
  if (round === null) return [...rounds];
  const others = rounds.filter((other) => other.round !== round.round);
  return [...others, round].sort((a, b) => a.round - b.round).slice(-roundsKept);
}
