/** `skein migration report ID -o FILE`: a migration drawn on one page. */
import { writeFile } from 'node:fs/promises';
import type { MigrationObservation } from '@skein/shared';
import { type Command, InvalidArgumentError } from 'commander';
import { recordedMigration } from '../client/migrations.ts';
import { fail, usageError } from '../failure.ts';
import { migrationPage, type PageObservation } from '../report/page.ts';
import { clientOf, outputFileOf } from './shared-options.ts';

interface ReportOptions {
  readonly guestGap?: number;
  readonly networkGap?: number;
}

export function addReportCommand(migration: Command): void {
  migration
    .command('report <id>')
    .description('draws a migration: one HTML page that needs nothing else')
    .option('-o, --output <FILE>', 'write it there; - is standard output')
    .option('--guest-gap <MS>', "the longest gap between two ticks of the guest's own clock", gapArgument)
    .option('--network-gap <MS>', 'the longest gap between two answers on the network', gapArgument)
    .action(async (id: string, options: ReportOptions, command: Command) => {
      const path = outputFileOf(command);
      if (path === undefined) throw usageError('say where the report shall go: --output report.html');
      const { record, observation, vmName } = await recordedMigration(await clientOf(command), id);
      const page = migrationPage(record, withGiven(observation, options), vmName);
      if (path === '-') process.stdout.write(page);
      else await write(path, page);
    });
}

/** What a person says goes before what stands beside the record. */
function withGiven(
  { guest, network }: MigrationObservation,
  { guestGap, networkGap }: ReportOptions,
): PageObservation {
  return {
    guest: guestGap === undefined ? guest : { gapMs: guestGap },
    network: networkGap === undefined ? network : { gapMs: networkGap },
  };
}

/** @throws OperationError output.unwritable */
async function write(path: string, page: string): Promise<void> {
  try {
    await writeFile(path, page);
  } catch (error) {
    const reason = (error as NodeJS.ErrnoException).code ?? String(error);
    fail('output.unwritable', `the report cannot be written to ${path}: ${reason}`, error);
  }
  process.stderr.write(`the report is in ${path}\n`);
}

const gapMsMax = 3_600_000;

function gapArgument(text: string): number {
  const ms = /^\d{1,7}(\.\d{1,6})?$/.test(text) ? Number(text) : Number.NaN;
  if (ms <= gapMsMax) return ms;
  throw new InvalidArgumentError('It must be a number of milliseconds, up to an hour.');
}
