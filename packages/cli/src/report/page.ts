/**
 * The report of one migration: one HTML page that needs nothing else, no network, no script. The same record and the same
 * observations make the same page.
 */
import { type MigrationRecord, ObservedClock, type ObservedGap } from '@skein/shared';
import { formatMs, formatSize } from '../output/figures.ts';
import { aheadOf, followedOf, settingsOf, whyPrecopyEnded } from '../output/migration-report.ts';
import { roundColumns } from '../output/migration-rounds.ts';
import { gapSentence } from '../output/observed-gap.ts';
import { cellsOf } from '../output/table.ts';
import { clocksChart, downtimeChart } from './downtime-chart.ts';
import { momentsChart, phasesChart } from './phases-chart.ts';
import { ratesChart } from './rates-chart.ts';
import { bytesChart, pagesChart } from './rounds-chart.ts';
import { style } from './style.ts';
import { element, escapeText } from './svg.ts';

/** With all of its figures where an observer said it, the gap alone where a person did. */
export type PageGap = ObservedGap | Pick<ObservedGap, 'gapMs'>;

/** What others than the hypervisor saw of the downtime; null: nobody watched. */
export type PageObservation = Readonly<Record<ObservedClock, PageGap | null>>;

/** The whole page. `vmName`: what people call the guest; a record has its id alone. */
export function migrationPage(record: MigrationRecord, observation: PageObservation, vmName: string): string {
  const title = `${vmName} from ${record.from} to ${record.to}, ${record.operation}`;
  const head = [
    '<meta charset="utf-8">',
    '<meta name="viewport" content="width=device-width, initial-scale=1">',
    element('title', {}, escapeText(`Migration ${title}`)),
    element('style', {}, style),
  ];
  const main = [
    heading(record, vmName),
    tiles(record),
    section(
      'Phases',
      'Pre-copy beside the running guest, stop-and-copy while it stands, post-copy after the commit.',
      [phasesChart(record)],
    ),
    ...roundSections(record),
    ...stopSections(record, observation),
    detailSection(record),
    element('footer', {}, 'Drawn by skein migration report. Rest the pointer on a bar for its figures.'),
  ];
  return `<!doctype html>\n<html lang="en"><head>${head.join('')}</head><body>${element('main', {}, ...main)}</body></html>\n`;
}

function heading(record: MigrationRecord, vmName: string): string {
  const { from, to, outcome, reason, mode, operation } = record;
  const badge = element('span', { class: `outcome ${outcome}` }, escapeText(outcome));
  const why = reason === null ? '' : element('p', {}, escapeText(reason));
  return [
    element('h1', {}, escapeText(`${vmName}: ${from} → ${to}`), badge),
    element('p', {}, escapeText(`${mode}, ${operation}`)),
    why,
  ].join('');
}

function tiles(record: MigrationRecord): string {
  const isStopped = record.downtimeMs > 0;
  const tile = (figure: string, name: string): string =>
    element(
      'div',
      { class: 'tile' },
      element('b', {}, escapeText(figure)),
      element('span', {}, escapeText(name)),
    );
  return element(
    'div',
    { class: 'tiles' },
    tile(isStopped ? formatMs(record.downtimeMs) : 'none', 'downtime (hypervisor)'),
    tile(formatMs(record.totalMs), 'in all'),
    tile(formatSize(record.bytes), `on the wire, of ${record.memoryMib} MiB of RAM`),
    tile(String(record.rounds.length), 'rounds'),
    tile(`${record.throttlePercentMax} %`, 'slowed at most'),
  );
}

function roundSections(record: MigrationRecord): readonly string[] {
  if (record.rounds.length === 0) return [section('Rounds', 'None ended.', [])];
  const why = record.precopyEnd === null ? '' : `Pre-copy ended: ${whyPrecopyEnded(record.precopyEnd)}.`;
  return [
    element(
      'div',
      { class: 'pair' },
      section('Pages', 'Of each round, by how they were sent.', [pagesChart(record)]),
      section('Bytes', 'Of each round, on the migration network.', [bytesChart(record)]),
    ),
    section('Bandwidth and dirty rate', 'Rounds help while the guest dirties less than the link carries.', [
      ratesChart(record),
    ]),
    section('Rounds', why, [element('div', { class: 'scroll' }, roundTable(record))]),
  ];
}

function roundTable({ rounds }: MigrationRecord): string {
  const header = roundColumns.map(({ header: name }) =>
    element('th', { scope: 'col' }, escapeText(name.toLowerCase())),
  );
  const rows = rounds.map((round) =>
    element('tr', {}, ...cellsOf(roundColumns, round).map((cell) => element('td', {}, escapeText(cell)))),
  );
  return element(
    'table',
    {},
    element('thead', {}, element('tr', {}, ...header)),
    element('tbody', {}, ...rows),
  );
}

function stopSections(record: MigrationRecord, observation: PageObservation): readonly string[] {
  const isStopped = record.downtimeMs > 0;
  return [
    ...(isStopped ? [partsSection(record)] : []),
    ...(isStopped || observation.guest !== null || observation.network !== null
      ? [clocksSection(record, observation)]
      : []),
    ...(isStopped ? momentsSections(record) : []),
  ];
}

function partsSection(record: MigrationRecord): string {
  const { boundaryWaitMs } = record.downtime;
  return section(
    'Downtime in its parts',
    `From the suspension on the source to the target's permission to run. Before it the vCPU ran for ${formatMs(boundaryWaitMs)}, to a slice's end or until its guest slept.`,
    [downtimeChart(record)],
  );
}

/** Where the guest stayed, it did not stand; where its source was lost, nobody knows how long. */
function clocksSection({ downtimeMs, outcome }: MigrationRecord, observation: PageObservation): string {
  const seen = { guest: observation.guest?.gapMs ?? null, network: observation.network?.gapMs ?? null };
  const sentences = ObservedClock.options.flatMap((clock) => {
    const gap = observation[clock];
    return gap !== null && 'readings' in gap ? [`By the ${clock}'s clock: ${gapSentence(clock, gap)}.`] : [];
  });
  const below = sentences.map((sentence) => element('p', {}, escapeText(sentence)));
  if (outcome === 'aborted' && downtimeMs === 0) {
    const lead = 'The longest gaps while it was tried: the guest stayed where it was.';
    return section('Seen from outside', lead, [clocksChart(seen), ...below]);
  }
  const clocks = { hypervisor: downtimeMs > 0 ? downtimeMs : null, ...seen };
  const lead =
    'The stop as each of them sees it: for guest and network it is the longest gap of the whole migration.';
  return section('Downtime by three clocks', lead, [clocksChart(clocks), ...below]);
}

function momentsSections(record: MigrationRecord): readonly string[] {
  const moments = momentsChart(record);
  if (moments === '') return [];
  const lead = `On the source's clock. The target's is ${formatMs(record.clockOffsetMs)} off, known to ${formatMs(record.clockOffsetErrorMs)}, which the bars beside its moments show.`;
  return [section('The change of hosts', lead, [moments])];
}

function detailSection(record: MigrationRecord): string {
  const isEqual = record.stateHashSource === record.stateHashTarget;
  const rows: readonly (readonly [string, string])[] = [
    ['asked for', record.settings === null ? 'not recorded' : settingsOf(record.settings)],
    ...(record.postcopy === null ? [] : [['followed', followedOf(record.postcopy)] as const]),
    ...(record.ahead === null ? [] : [['ahead', aheadOf(record.ahead)] as const]),
    [
      'pages',
      `${record.pages}, ${record.freePages} of them free, ${record.zeroPages} zero, ${record.deltaPages} as deltas`,
    ],
    ['before compression', formatSize(record.uncompressedBytes)],
    [
      'state hash',
      `source ${record.stateHashSource}, target ${record.stateHashTarget} (${isEqual ? 'equal' : 'DIFFERENT'})`,
    ],
    ['source in full', record.stateHashSourceFull ?? 'not taken'],
    ['epoch', `${record.epochBefore} → ${record.epochAfter}`],
  ];
  const list = rows.map(
    ([name, text]) => element('dt', {}, escapeText(name)) + element('dd', {}, escapeText(text)),
  );
  return section('Details', '', [element('dl', {}, ...list)]);
}

function section(title: string, lead: string, content: readonly string[]): string {
  return element(
    'section',
    {},
    element('h2', {}, escapeText(title)),
    lead === '' ? '' : element('p', {}, escapeText(lead)),
    ...content,
  );
}
