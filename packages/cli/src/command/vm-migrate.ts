/** `skein vm migrate`: moves a running VM; its rounds are shown as they end, and who wants to watches it from outside as well. */
import { ObservedClock, OperationError, type OperationView } from '@skein/shared';
import type { Command } from 'commander';
import { ApiClient } from '../client/api-client.ts';
import { insistently } from '../client/insistently.ts';
import { usageError } from '../failure.ts';
import { MigrationObserver, type Watched } from '../observe/migration-observer.ts';
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

/**
 * Null where nothing is to be observed.
 * @throws OperationError request.invalid, vm.not-found, vm.wrong-state, name.ambiguous
 */
async function watchedVms(
  client: ApiClient,
  name: string,
  { observeTicks = false, observePings }: MigrateOptions,
): Promise<Watched | null> {
  if (!observeTicks && observePings === undefined) return null;
  const pingsOf = observePings === undefined ? null : await fullVmName(client, observePings);
  if (pingsOf === name) {
    throw usageError(`${name} cannot ping itself over the network: name another VM with --observe-pings`);
  }
  const watched = { ticksOf: observeTicks ? name : null, pingsOf };
  for (const vm of [watched.ticksOf, pingsOf]) if (vm !== null) await refuseSilent(client, vm);
  return watched;
}

async function refuseSilent(client: ApiClient, name: string): Promise<void> {
  const { state } = await client.vm(name);
  if (state === 'running' || state === 'migrating') return;
  const message = `${name} is ${state}: nothing can be observed of a VM that does not run`;
  throw new OperationError({ code: 'vm.wrong-state', message });
}

/**
 * What was observed stands beside the migration from now on. The migration is what it is without that: what cannot be kept
 * is said, and no more. Null where nothing was kept.
 */
async function keep(
  client: ApiClient,
  observer: MigrationObserver,
  id: string,
): Promise<OperationView | null> {
  const { observation, problems } = await observer.conclude();
  for (const problem of problems) complain(id, problem);
  let kept: OperationView | null = null;
  for (const clock of ObservedClock.options) {
    const gap = observation[clock];
    if (gap === null) continue;
    try {
      kept = await insistently(() => client.observeMigration(id, clock, gap));
    } catch (error) {
      complain(id, error);
    }
  }
  return kept;
}

function complain(id: string, error: unknown): void {
  if (!(error instanceof OperationError)) throw error;
  new StatusLine().say(`what was observed of ${id} does not stand beside it: ${error.message}`);
}
