/** The rounds of a migration as a table, whole or row by row while it runs. */
import type { MigrationRound, RoundProgress } from '@skein/shared';
import { formatDuration } from './duration.ts';
import { formatMs, formatSize } from './figures.ts';
import { type Column, GrowingTable } from './table.ts';

const right = { alignsRight: true } as const;

export const roundColumns: readonly Column<MigrationRound>[] = [
  { header: 'ROUND', value: ({ round }) => round, ...right },
  { header: 'PAGES', value: ({ pages }) => pages, ...right, widthMin: 7 },
  { header: 'FREE', value: ({ freePages }) => freePages, ...right, widthMin: 7 },
  { header: 'ZERO', value: ({ zeroPages }) => zeroPages, ...right, widthMin: 7 },
  { header: 'DELTA', value: ({ deltaPages }) => deltaPages, ...right, widthMin: 6 },
  { header: 'LEFT OUT', value: ({ rewrittenPages }) => rewrittenPages, ...right },
  { header: 'BYTES', value: ({ bytes }) => formatSize(bytes), ...right, widthMin: 10 },
  { header: 'TIME', value: ({ durationMs }) => formatMs(durationMs), ...right, widthMin: 8 },
  {
    header: 'BANDWIDTH',
    value: (round) => `${formatSize(round.bandwidthBytesPerS)}/s`,
    ...right,
    widthMin: 12,
  },
  {
    header: 'DIRTIED',
    value: ({ dirtyPagesPerS }) => `${Math.round(dirtyPagesPerS)}/s`,
    ...right,
    widthMin: 8,
  },
  { header: 'SLOWED', value: ({ throttlePercent }) => `${throttlePercent} %`, ...right },
  { header: 'LEFT', value: ({ remainingPages }) => remainingPages, ...right, widthMin: 6 },
  { header: 'DOWNTIME IF STOPPED', value: predictionOf, ...right },
];

/**
 * How far the round at work is: `round 2: 34 %, about 12.3 s left at 120 KiB/s, 1234 of 5678 pages, 1.2 MiB`. What people look
 * for comes first: a terminal may be too narrow for the rest.
 */
export function roundSentence(progress: RoundProgress): string {
  const { round, pages, pagesTotal, bytes, bandwidthBytesPerS, remainingMs } = progress;
  const percent = pagesTotal === 0 ? 100 : Math.floor((pages / pagesTotal) * 100);
  const rate = `${formatSize(bandwidthBytesPerS)}/s`;
  const left = remainingMs === null ? '' : `about ${formatDuration(remainingMs)} left at ${rate}, `;
  return `round ${round}: ${percent} %, ${left}${pages} of ${pagesTotal} pages, ${formatSize(bytes)}`;
}

/** Rows that stay, each once, in whatever portions the rounds are told. */
export class LiveRounds {
  readonly #say: (line: string) => void;
  readonly #table = new GrowingTable(roundColumns);
  readonly #shown = new Set<number>();

  constructor(say: (line: string) => void) {
    this.#say = say;
  }

  show(rounds: readonly MigrationRound[]): void {
    for (const round of rounds) {
      if (this.#shown.has(round.round)) continue;
      this.#shown.add(round.round);
      for (const line of this.#table.linesOf(round)) this.#say(line);
    }
  }
}

/** None where nothing was sent yet to predict from, and none of the last round, which was sent while the guest stood. */
function predictionOf({ predictedDowntimeMs, remainingPages }: MigrationRound): string | null {
  if (predictedDowntimeMs >= Number.MAX_SAFE_INTEGER) return 'unknown';
  return predictedDowntimeMs === 0 && remainingPages === 0 ? null : formatMs(predictedDowntimeMs);
}
