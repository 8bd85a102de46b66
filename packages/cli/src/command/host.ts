/** `skein host remove`: what changes the set of hosts. */
import type { Command } from 'commander';
import { selectOne } from '../client/selection.ts';
import { formatOne } from '../output/format.ts';
import { hostPresentation } from '../output/presentations.ts';
import { clientOf, formatOf } from './shared-options.ts';

export function addHostCommand(program: Command): void {
  const host = program.command('host').description('change which hosts there are');
  host
    .command('remove <name>')
    .description('forget a host that has failed and will not come back')
    .action(remove);
}

async function remove(text: string, _options: unknown, command: Command): Promise<void> {
  const format = formatOf(command);
  const client = await clientOf(command);
  const items = await client.hosts();
  const { name } = selectOne({ kind: 'host', nameOf: hostPresentation.nameOf, items }, text);
  const removed = await client.removeHost(name);
  if (format === 'table' || format === 'wide') process.stdout.write(`host/${name} is removed\n`);
  else process.stdout.write(formatOne(hostPresentation, removed, format));
}
