/** `skein host remove|maintenance`: which hosts there are, and which may take VMs. */
import type { HostView } from '@skein/shared';
import { Argument, type Command } from 'commander';
import type { ApiClient } from '../client/api-client.ts';
import { selectOne } from '../client/selection.ts';
import { formatOne } from '../output/format.ts';
import { hostPresentation } from '../output/presentations.ts';
import { clientOf, formatOf } from './shared-options.ts';

export function addHostCommand(program: Command): void {
  const host = program.command('host').description('change which hosts there are, and which may take VMs');
  host
    .command('remove <name>')
    .description('forget a host that has failed and will not come back')
    .action(remove);
  host
    .command('maintenance <name>')
    .description('nothing new comes to a host in maintenance; what runs there runs on')
    .addArgument(new Argument('<state>', 'begin or end it').choices(['on', 'off']))
    .action(setMaintenance);
}

async function remove(text: string, _options: unknown, command: Command): Promise<void> {
  const client = await clientOf(command);
  const removed = await client.removeHost(await fullHostName(client, text));
  print(removed, `host/${removed.name} is removed`, command);
}

async function setMaintenance(
  text: string,
  state: 'on' | 'off',
  _options: unknown,
  command: Command,
): Promise<void> {
  const client = await clientOf(command);
  const host = await client.setHostMaintenance(await fullHostName(client, text), state === 'on');
  const stays = host.vms === 0 ? '' : `; ${host.vms} VMs run on there`;
  const sentence = host.isInMaintenance
    ? `host/${host.name} is in maintenance: nothing new comes to it${stays}`
    : `host/${host.name} is out of maintenance`;
  print(host, sentence, command);
}

async function fullHostName(client: ApiClient, text: string): Promise<string> {
  const items = await client.hosts();
  return selectOne({ kind: 'host', nameOf: hostPresentation.nameOf, items }, text).name;
}

function print(host: HostView, sentence: string, command: Command): void {
  const format = formatOf(command);
  const isForPeople = format === 'table' || format === 'wide';
  process.stdout.write(isForPeople ? `${sentence}\n` : formatOne(hostPresentation, host, format));
}
