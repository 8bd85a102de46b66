/** `skein vm create|start|stop|delete|migrate|console`: what changes a VM. Each change is an operation to follow. */
import { type ChangeReply, Name } from '@skein/shared';
import type { Command } from 'commander';
import { ApiClient, type CreateVm } from '../client/api-client.ts';
import { withoutKind } from '../client/selection.ts';
import { usageError } from '../failure.ts';
import { addressArgument, countArgument, memoryArgument, nameArgument } from './argument.ts';
import { findImage, imageArgument } from './guest-image.ts';
import { accessOf, clientOf } from './shared-options.ts';
import { finishChange, fullVmName, hostOf } from './vm-change.ts';
import { addConsoleCommand } from './vm-console.ts';
import { addMigrateCommand } from './vm-migrate.ts';

interface CreateOptions {
  readonly memory: number;
  readonly image?: string;
  readonly segment: string;
  readonly address?: string;
  readonly nic: boolean;
  readonly host?: string;
  readonly append?: string;
  readonly cpuLimit?: number;
  readonly cpuReservation?: number;
  readonly start: boolean;
  readonly wait: boolean;
}

interface ChangeOptions {
  readonly host?: string;
  readonly wait: boolean;
}

export function addVmCommand(program: Command): void {
  const vm = program.command('vm').description('create and change VMs, and talk to them');
  addCreate(vm);
  vm.command('start <name>')
    .description('power a VM on')
    .option('--host <HOST>', 'on this host (default: the least loaded one that fits)', nameArgument)
    .option('--no-wait', 'print the operation and do not wait for it')
    .action(async (name: string, options: ChangeOptions, command: Command) => {
      const client = await clientOf(command);
      const reply = await client.startVm(await fullVmName(client, name), hostOf(options.host));
      await finishChange(client, reply, options, command);
    });
  addChange(vm, 'stop', 'power a VM off, as if its plug were pulled', (client, name) => client.stopVm(name));
  addChange(vm, 'delete', 'forget a VM that is off', (client, name) => client.deleteVm(name));
  addMigrateCommand(vm);
  addConsoleCommand(vm);
}

function addCreate(vm: Command): void {
  vm.command('create <name>')
    .description('make a VM, and power it on')
    .option('--memory <MIB>', 'RAM in MiB', memoryArgument, 128)
    .option(
      `--image ${imageArgument}`,
      'a guest image; by a name the present one, made if need be (default: debian)',
    )
    .option('--segment <NAME>', 'the segment of its vNIC', nameArgument, 'lan')
    .option('--address <ADDRESS/LENGTH>', "the guest's own address, such as 10.77.0.11/24", addressArgument)
    .option('--no-nic', 'without any network')
    .option('--host <HOST>', 'on this host (default: the least loaded one that fits)', nameArgument)
    .option('--append <ARGUMENTS>', "added to the kernel's command line, e.g. skein.run=ticker")
    .option('--cpu-limit <MHZ>', 'never more than this', countArgument(1, 1_000_000, 'MHz'))
    .option('--cpu-reservation <MHZ>', 'never less than this', countArgument(0, 1_000_000, 'MHz'))
    .option('--no-start', 'leave it powered off')
    .option('--no-wait', 'print the operation and do not wait for it')
    .action(create);
}

function addChange(
  vm: Command,
  verb: string,
  description: string,
  change: (client: ApiClient, name: string) => Promise<ChangeReply>,
): void {
  vm.command(`${verb} <name>`)
    .description(description)
    .option('--no-wait', 'print the operation and do not wait for it')
    .action(async (name: string, options: ChangeOptions, command: Command) => {
      const client = await clientOf(command);
      await finishChange(client, await change(client, await fullVmName(client, name)), options, command);
    });
}

async function create(name: string, options: CreateOptions, command: Command): Promise<void> {
  const vmName = checkedName(withoutKind('vm', name));
  if (!options.nic && options.address !== undefined)
    throw usageError('--address is for a vNIC, and --no-nic leaves it out: give one of them');
  const access = await accessOf(command);
  const client = new ApiClient(access);
  const image = access.usesOwnImages ? (await findImage(options.image)).digest : options.image;
  const request: CreateVm = {
    name: vmName,
    ...(image === undefined ? {} : { image }),
    memoryMib: options.memory,
    nics: options.nic
      ? [{ segment: options.segment, ...(options.address === undefined ? {} : { address: options.address }) }]
      : [],
    bootArguments: options.append ?? '',
    cpu: {
      reservationMhz: options.cpuReservation ?? 0,
      shares: 1000,
      ...(options.cpuLimit === undefined ? {} : { limitMhz: options.cpuLimit }),
    },
    start: options.start,
    ...hostOf(options.host),
  };
  await finishChange(client, await client.createVm(request), options, command);
}

function checkedName(text: string): string {
  const parsed = Name.safeParse(text);
  if (parsed.success) return parsed.data;
  throw usageError(`${text} cannot be a name: ${parsed.error.issues[0]?.message ?? 'it is no DNS label'}`);
}
