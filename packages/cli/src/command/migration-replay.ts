/** `skein migration replay LEDGER`: what other settings would have cost, by a model, without any cluster. */
import { readFile, stat } from 'node:fs/promises';
import { type Ledger, ledgerCharactersMax, OperationError, readLedger, replayMigration } from '@skein/shared';
import type { Command } from 'commander';
import { stringify } from 'yaml';
import { fail } from '../failure.ts';
import { formatReplay } from '../output/migration-replay.ts';
import { addSettingOptions, givenSettings, type SettingOptions } from './migration-options.ts';
import { formatOf } from './shared-options.ts';

export function addReplayCommand(migration: Command): void {
  const replay = migration
    .command('replay <ledger>')
    .description('what a migration would have cost with other settings, by a model');
  addSettingOptions(replay).action(async (path: string, options: SettingOptions, command: Command) => {
    const format = formatOf(command);
    const ledger = await ledgerFile(path);
    const replayed = replayMigration(ledger, givenSettings(options));
    if (format === 'json') process.stdout.write(`${JSON.stringify(replayed, null, 2)}\n`);
    else if (format === 'yaml') process.stdout.write(stringify(replayed));
    else process.stdout.write(formatReplay(ledger, replayed));
  });
}

/** @throws OperationError ledger.invalid */
async function ledgerFile(path: string): Promise<Ledger> {
  try {
    const { size } = await stat(path);
    if (size > ledgerCharactersMax) fail('ledger.invalid', `${path} has ${size} bytes: that is no ledger`);
    return readLedger(await readFile(path, 'utf8'));
  } catch (error) {
    if (error instanceof OperationError) throw error;
    const reason = (error as NodeJS.ErrnoException).code ?? String(error);
    return fail('ledger.invalid', `${path} cannot be read (${reason}): give the file of a ledger`, error);
  }
}
