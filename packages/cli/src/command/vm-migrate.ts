/** `skein vm migrate`: moves a running VM; its rounds are shown as they end, and who wants to watches it from outside as well. */
import { ObservedClock, OperationError, type OperationView } from '@skein/shared';
import type { Command } from 'commander';
import { ApiClient } from '../client/api-client.ts';
import { insistently } from '../client/insistently.ts';
import { usageError } from '../failure.ts';
import { MigrationObserver } from '../observe/migration-observer.ts';
import { StatusLine } from '../output/status-line.ts';
import { nameArgument } from './argument.ts';
import { addSettingOptions, givenSettings, type SettingOptions } from './migration-options.ts';
import { accessOf } from './shared-options.ts';
import { finishChange, fullVmName, hostOf } from './vm-change.ts';

interface MigrateOptions extends SettingOptions {
  readonly to?: string;
  readonly wait: boolean;
  readonly observeTicks?: boolean;
  readonly observePings?: string;
}

export function addMigrateCommand(vm: Command): void {
  const migrate = vm
    .command('migrate <name>')
    .description('move a running VM to another host; it does not notice')
    .option('--to <HOST>', 'to this host (default: the least loaded other one that fits)', nameArgument);
  addSettingOptions(migrate)
    .option('--no-wait', 'print the operation and do not wait for it')
    .option('--observe-ticks', "put the downtime by the guest's clock into the record: `ticker` runs in it")
    .option(
      '--observe-pings <VM>',
      "the same by the network's clock: in this VM `pinger` asks the one that moves",
      nameArgument,
    )
    .action(migrateVm);
}

async function migrateVm(text: string, options: MigrateOptions, command: Command): Promise<void> {
  refuseUnawaited(options);
  const access = await accessOf(command);
  const client = new ApiClient(access);
  const name = await fullVmName(client, text);
  const watched = await watchedVms(client, name, options);
  const observer =
    watched === null ? null : await MigrationObserver.attach(access, await client.cluster(), watched);
  try {
    await observer?.begin();
    const request = { ...givenSettings(options), ...hostOf(options.to) };
    const reply = await client.migrateVm(name, request);
    const whenEnded = observer === null ? {} : { whenEnded: (id: string) => keep(client, observer, id) };
    await finishChange(client, reply, { wait: options.wait, ...whenEnded }, command);
  } finally {
    observer?.close();
  }
}

function refuseUnawaited({ wait, observeTicks = false, observePings }: MigrateOptions): void {
  if (wait || (!observeTicks && observePings === undefined)) return;
  throw usageError('a migration is observed to its end: leave out --no-wait, or what is to be observed');
}

/** Null where nothing is to be observed. @throws OperationError request.invalid, vm.not-found, name.ambiguous */
async function watchedVms(
  client: ApiClient,
  name: string,
  { observeTicks = false, observePings }: MigrateOptions,
): Promise<{ readonly ticksOf: string | null; readonly pingsOf: string | null } | null> {
  if (!observeTicks && observePings === undefined) return null;
  const pingsOf = observePings === undefined ? null : await fullVmName(client, observePings);
  if (pingsOf === name) {
    throw usageError(`${name} cannot ping itself over the network: name another VM with --observe-pings`);
  }
  return { ticksOf: observeTicks ? name : null, pingsOf };
}

/**
 * What was observed stands beside the migration from now on. The migration is what it is without that: where it cannot be
 * kept, that is said and no more. Null then.
 */
async function keep(
  client: ApiClient,
  observer: MigrationObserver,
  id: string,
): Promise<OperationView | null> {
  let kept: OperationView | null = null;
  try {
    const observation = await observer.conclude();
    for (const clock of ObservedClock.options) {
      const gap = observation[clock];
      if (gap !== null) kept = await insistently(() => client.observeMigration(id, clock, gap));
    }
  } catch (error) {
    if (!(error instanceof OperationError)) throw error;
    new StatusLine().say(`what was observed of ${id} is not in its record: ${error.message}`);
  }
  return kept;
}
