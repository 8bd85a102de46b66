/** A replay for people: what it would have cost beside what it did cost, round by round, and what that rests on. */
import type { Ledger, Replay, ReplayedRound } from '@skein/shared';
import { formatMs, formatSize } from './figures.ts';
import { settingsOf, whyPrecopyEnded } from './migration-report.ts';
import { type Column, formatTable } from './table.ts';

export function formatReplay(ledger: Ledger, replay: Replay): string {
  return [
    `a model of ${ledger.begin.operation} (${ledger.begin.from} -> ${ledger.begin.to}), not a measurement`,
    `settings  ${settingsOf(replay.settings)}`,
    `outcome   ${outcomeOf(replay)}`,
    '',
    formatTable(comparisonColumns, comparison(ledger, replay), false),
    formatTable(roundColumns, replay.rounds, false),
    'assumed:',
    ...replay.assumptions.map((sentence) => `- ${sentence}`),
    '',
  ].join('\n');
}

function outcomeOf({ outcome, precopyEnd }: Replay): string {
  if (outcome === 'deadline') return 'given up at its deadline';
  const why = precopyEnd === null ? '' : `: ${whyPrecopyEnded(precopyEnd)}`;
  return `${outcome === 'given-up' ? 'given up' : outcome}${why}`;
}

interface Comparison {
  readonly what: string;
  readonly measured: string;
  readonly replayed: string;
}

const comparisonColumns: readonly Column<Comparison>[] = [
  { header: '', value: ({ what }) => what },
  { header: 'MEASURED', value: ({ measured }) => measured, alignsRight: true },
  { header: 'MODEL', value: ({ replayed }) => replayed, alignsRight: true },
];

function comparison({ rounds, postcopy, end }: Ledger, replay: Replay): readonly Comparison[] {
  const row = (what: string, measured: string, replayed: string): Comparison => ({
    what,
    measured,
    replayed,
  });
  return [
    row('total', formatMs(end['total-time']), formatMs(replay.totalMs)),
    row('downtime', maybeMs(end.downtime || null), maybeMs(replay.downtimeMs)),
    row('bytes', formatSize(end.ram.transferred), formatSize(replay.bytes)),
    row('followed', followedOf(postcopy?.pages), followedOf(replay.postcopy?.pages)),
    row('rounds', String(rounds.length), String(replay.rounds.length)),
    row('slowed', `${end['cpu-throttle-percentage']} %`, `${replay.throttlePercentMax} %`),
  ];
}

const followedOf = (pages = 0): string => `${pages} pages`;
const maybeMs = (ms: number | null): string => (ms === null ? '-' : formatMs(ms));

const right = { alignsRight: true } as const;
const roundColumns: readonly Column<ReplayedRound>[] = [
  { header: 'ROUND', value: ({ round }) => round, ...right },
  { header: 'PHASE', value: ({ phase }) => phase },
  { header: 'PAGES', value: ({ pages }) => pages, ...right },
  { header: 'FREE', value: ({ freePages }) => freePages, ...right },
  { header: 'ZERO', value: ({ zeroPages }) => zeroPages, ...right },
  { header: 'DELTA', value: ({ deltaPages }) => deltaPages, ...right },
  { header: 'BYTES', value: ({ bytes }) => formatSize(bytes), ...right },
  { header: 'TIME', value: ({ durationMs }) => formatMs(durationMs), ...right },
  { header: 'SLOWED', value: ({ throttlePercent }) => `${throttlePercent} %`, ...right },
  { header: 'LEFT', value: ({ remainingPages }) => remainingPages, ...right },
  {
    header: 'DOWNTIME IF STOPPED',
    value: ({ predictedDowntimeMs: ms }) => {
      if (ms === null) return null;
      return ms >= Number.MAX_SAFE_INTEGER ? 'unknown' : formatMs(ms);
    },
    ...right,
  },
];
