/** `skein vm migrate`: moves a running VM; its rounds are shown as they end, and who wants to watches it from outside as well. */
import type { OperationView } from '@skein/shared';
import type { Command } from 'commander';
import type { ClusterAccess } from '../client/access.ts';
import { ApiClient } from '../client/api-client.ts';
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
    .option('--observe-pings <VM>', "the same by the network's clock: `pinger` runs in this VM", nameArgument)
    .action(migrateVm);
}

async function migrateVm(text: string, options: MigrateOptions, command: Command): Promise<void> {
  const access = await accessOf(command);
  const client = new ApiClient(access);
  const name = await fullVmName(client, text);
  const observer = await observerOf(client, access, name, options);
  try {
    const request = { ...givenSettings(options), ...hostOf(options.to) };
    const reply = await client.migrateVm(name, request);
    const whenDone =
      observer === null
        ? {}
        : { whenDone: (operation: OperationView) => noteObservation(client, observer, operation) };
    await finishChange(client, reply, { wait: options.wait, ...whenDone }, command);
  } finally {
    observer?.close();
  }
}

/** Null where nothing is to be observed. @throws OperationError as `MigrationObserver.attach`; request.invalid */
async function observerOf(
  client: ApiClient,
  access: ClusterAccess,
  name: string,
  { observeTicks = false, observePings, wait }: MigrateOptions,
): Promise<MigrationObserver | null> {
  if (!observeTicks && observePings === undefined) return null;
  if (!wait)
    throw usageError('a migration is observed to its end: leave out --no-wait, or what is to be observed');
  const pingsOf = observePings === undefined ? null : await fullVmName(client, observePings);
  if (pingsOf === name) {
    throw usageError(`${name} cannot ping itself over the network: name another VM with --observe-pings`);
  }
  const line = new StatusLine();
  line.show(`watching ${[observeTicks ? name : [], pingsOf ?? []].flat().join(' and ')} for a second`);
  try {
    return await MigrationObserver.attach(access, await client.cluster(), {
      ticksOf: observeTicks ? name : null,
      pingsOf,
    });
  } finally {
    line.clear();
  }
}

async function noteObservation(
  client: ApiClient,
  observer: MigrationObserver,
  operation: OperationView,
): Promise<OperationView> {
  return client.observeMigration(operation.id, await observer.conclude());
}
