/** `skein migration list|ledger|report|replay`: what is known of migrations after they ended. */
import { formatLedger, ledgerLines, ObservedClock, type OperationView } from '@skein/shared';
import type { Command } from 'commander';
import { migrations, recordedMigration } from '../client/migrations.ts';
import { formatDuration, formatTime } from '../output/duration.ts';
import { formatMs } from '../output/figures.ts';
import { formatList, type Presentation } from '../output/format.ts';
import { formatGap } from '../output/observed-gap.ts';
import { operationPresentation } from '../output/presentations.ts';
import { addReplayCommand } from './migration-replay.ts';
import { addReportCommand } from './migration-report.ts';
import { clientOf, formatOf } from './shared-options.ts';

export function addMigrationCommand(program: Command): void {
  const migration = program.command('migration').description('what migrations cost, and would have cost');
  migration
    .command('list')
    .description('migrations and how they ended, the newest first')
    .action(async (_options: unknown, command: Command) => {
      const format = formatOf(command);
      const items = await migrations(await clientOf(command));
      if (items.length === 0 && (format === 'table' || format === 'wide'))
        process.stderr.write('there was no migration yet\n');
      else process.stdout.write(formatList(migrationPresentation, items, format));
    });
  migration
    .command('ledger <id>')
    .description('everything that was measured, as JSON lines')
    .action(async (id: string, _options: unknown, command: Command) => {
      const { record, observation } = await recordedMigration(await clientOf(command), id);
      process.stdout.write(formatLedger(ledgerLines(record, observation)));
    });
  addReportCommand(migration);
  addReplayCommand(migration);
}

const migrationPresentation: Presentation<OperationView> = {
  kind: operationPresentation.kind,
  nameOf: operationPresentation.nameOf,
  columns: [
    { header: 'ID', value: ({ id }) => id },
    { header: 'VM', value: ({ vmName }) => vmName },
    { header: 'FROM', value: ({ host }) => host },
    { header: 'TO', value: ({ targetHost }) => targetHost },
    { header: 'CREATED', value: ({ createdAtMs }) => formatTime(createdAtMs) },
    { header: 'OUTCOME', value: ({ migration, state }) => migration?.outcome ?? state },
    { header: 'ROUNDS', value: ({ migration }) => migration?.rounds.length ?? null, alignsRight: true },
    {
      header: 'DOWNTIME',
      value: ({ migration }) =>
        migration === null || migration.outcome !== 'committed' ? null : formatMs(migration.downtimeMs),
      alignsRight: true,
    },
    ...ObservedClock.options.map((clock) => ({
      header: `${clock.toUpperCase()} GAP`,
      value: ({ observation }: OperationView) => {
        const gap = observation[clock];
        return gap === null ? null : formatGap(gap);
      },
      isWide: true,
      alignsRight: true,
    })),
    {
      header: 'TOTAL',
      value: ({ migration }) => (migration === null ? null : formatDuration(migration.totalMs)),
      alignsRight: true,
    },
    { header: 'REASON', value: ({ problem, migration }) => problem?.message ?? migration?.reason ?? null },
  ],
};
