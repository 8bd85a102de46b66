import { MigrationProgress, MigrationRound } from '@skein/shared';
import { describe, expect, it } from 'vitest';
import { ProgressLog } from './progress-log.ts';

const operation = 'op-0123456789abcdef';

function progress(round: number | null, pages = 10): MigrationProgress {
  const lastRound =
    round === null
      ? null
      : MigrationRound.parse({
          round,
          pages,
          zeroPages: 0,
          freePages: 0,
          bytes: 1,
          durationMs: 1,
          bandwidthBytesPerS: 1,
          dirtyPagesPerS: 1,
          remainingPages: 1,
          predictedDowntimeMs: 1,
        });
  return MigrationProgress.parse({
    operation,
    vm: 'vm-0123456789abcdef',
    phase: 'pre-copy',
    round: round ?? 0,
    pagesSent: 0,
    pagesRemaining: 0,
    bytes: 0,
    lastRound,
  });
}

describe('the progress of a migration', () => {
  it('has every round that was told, for whoever looks in between only', () => {
    const log = new ProgressLog();
    for (const round of [null, 1, 2, 2, 3]) log.note(progress(round));
    expect(log.of(operation)).toMatchObject({ round: 3, lastRound: { round: 3 } });
    expect(log.of(operation)?.rounds.map(({ round }) => round)).toEqual([1, 2, 3]);
  });

  it('takes a round that is told again as it was told last', () => {
    const log = new ProgressLog();
    for (const told of [progress(1, 10), progress(2), progress(1, 20)]) log.note(told);
    expect(log.of(operation)?.rounds.map(({ pages }) => pages)).toEqual([20, 10]);
  });

  it('is gone when the operation is', () => {
    const log = new ProgressLog();
    log.note(progress(1));
    log.forget(operation);
    expect(log.of(operation)).toBeNull();
  });
});
