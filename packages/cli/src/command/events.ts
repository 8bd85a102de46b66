/** `skein events`: what happened, with reasons; with --watch also what happens next, until Ctrl-C. */
import { setTimeout as sleep } from 'node:timers/promises';
import { type ClusterEvent, OperationError } from '@skein/shared';
import type { Command } from 'commander';
import type { ApiClient } from '../client/api-client.ts';
import { formatTime } from '../output/duration.ts';
import { formatList, type OutputFormat } from '../output/format.ts';
import { eventPresentation } from '../output/presentations.ts';
import { countArgument } from './argument.ts';
import { clientOf, formatOf } from './shared-options.ts';

const reconnectMs = 500;
const unreachableMsMax = 30_000;

export function addEventsCommand(program: Command): void {
  program
    .command('events')
    .description('show what happened; JSON is one object a line')
    .option('-w, --watch', 'and what happens next, until Ctrl-C')
    .option('--after <SEQUENCE>', 'only later than this one', countArgument(0, 999_999_999, ''), 0)
    .action(events);
}

async function events(
  options: { readonly watch?: boolean; readonly after: number },
  command: Command,
): Promise<void> {
  const format = formatOf(command);
  const client = await clientOf(command);
  if (options.watch === true) {
    await watch(client, options.after, format);
    return;
  }
  for await (const event of client.events(options.after)) print(event, format);
}

/** Begins again where it was cut off; gives up when the coordinator stays away. */
async function watch(client: ApiClient, from: number, format: OutputFormat): Promise<void> {
  let after = from;
  let lostAtMs: number | null = null;
  for (;;) {
    try {
      for await (const event of client.watchEvents(after, new AbortController().signal)) {
        lostAtMs = null;
        if (event.sequence <= after) continue;
        after = event.sequence;
        print(event, format);
      }
    } catch (error) {
      if (!(error instanceof OperationError) || error.code !== 'coordinator.unreachable') throw error;
      if (lostAtMs === null) process.stderr.write('the coordinator is away; waiting for it\n');
      lostAtMs ??= performance.now();
      if (after === from || performance.now() - lostAtMs > unreachableMsMax) throw error;
    }
    await sleep(reconnectMs);
  }
}

function print(event: ClusterEvent, format: OutputFormat): void {
  if (format === 'json') process.stdout.write(`${JSON.stringify(event)}\n`);
  else if (format === 'yaml') process.stdout.write(`---\n${formatList(eventPresentation, [event], format)}`);
  else if (format === 'name') process.stdout.write(`event/${event.sequence}\n`);
  else {
    const details = format === 'wide' ? ` ${JSON.stringify(event.details)}` : '';
    process.stdout.write(
      `${formatTime(event.atMs)}  ${event.subject.padEnd(24)}  ${event.type.padEnd(19)}  ${event.message}${details}\n`,
    );
  }
}
