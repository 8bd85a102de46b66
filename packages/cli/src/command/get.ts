/** `skein get host|vm|operation|event [NAME...]`: what there is, once or again with each change. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Command } from 'commander';
import type { ApiClient } from '../client/api-client.ts';
import { selectMany, withoutKind } from '../client/selection.ts';
import { formatList, formatOne, type OutputFormat, type Presentation } from '../output/format.ts';
import {
  eventPresentation,
  hostPresentation,
  operationPresentation,
  vmPresentation,
} from '../output/presentations.ts';
import { cellsOf, formatTable } from '../output/table.ts';
import { clientOf, formatOf } from './shared-options.ts';

const watchPeriodMs = 500;

export function addGetCommand(program: Command): void {
  const get = program.command('get').description('show hosts, VMs, operations or events');
  addKind(get, 'host', hostPresentation, (client) => client.hosts());
  addKind(get, 'vm', vmPresentation, (client) => client.vms());
  addKind(get, 'operation', operationPresentation, (client) => client.operations());
  addKind(get, 'event', eventPresentation, (client) => client.allEvents());
}

function addKind<T>(
  get: Command,
  kind: string,
  presentation: Presentation<T>,
  list: (client: ApiClient) => Promise<readonly T[]>,
): void {
  get
    .command(`${kind} [names...]`)
    .alias(`${kind}s`)
    .description(`${kind}s: a name, a unique beginning of one, ${kind}/NAME, or a pattern with * and ?`)
    .option('-w, --watch', 'show again what changes, until Ctrl-C')
    .action(async (names: readonly string[], options: { readonly watch?: boolean }, command: Command) => {
      const format = formatOf(command);
      const client = await clientOf(command);
      const select = async (): Promise<readonly T[]> =>
        selectMany({ kind, nameOf: presentation.nameOf, items: await list(client) }, names);
      if (options.watch === true) await watch(presentation, select, format);
      else process.stdout.write(show(presentation, await select(), names, format));
    });
}

function show<T>(
  presentation: Presentation<T>,
  items: readonly T[],
  names: readonly string[],
  format: OutputFormat,
): string {
  const [only] = items;
  const isOne = names.length === 1 && !/[*?]/.test(withoutKind(presentation.kind, names[0] ?? ''));
  if (isOne && only !== undefined) return formatOne(presentation, only, format);
  if (items.length === 0 && (format === 'table' || format === 'wide')) {
    process.stderr.write(`there is no ${presentation.kind}\n`);
    return '';
  }
  return formatList(presentation, items, format);
}

/**
 * Prints what changed since the last look: rows below one header, or one JSON object a line (NDJSON). A row whose gauges
 * alone moved is no news; a program gets those as well.
 */
async function watch<T>(
  presentation: Presentation<T>,
  select: () => Promise<readonly T[]>,
  format: OutputFormat,
): Promise<never> {
  const seen = new Map<string, string>();
  const isTable = format === 'table' || format === 'wide';
  const news = visible(presentation, format).filter(({ isGauge }) => isGauge !== true);
  const keyOf = (item: T): string => (isTable ? cellsOf(news, item).join('\t') : JSON.stringify(item));
  for (let isFirst = true; ; isFirst = false) {
    const changed = (await select()).filter((item) => seen.get(presentation.nameOf(item)) !== keyOf(item));
    for (const item of changed) seen.set(presentation.nameOf(item), keyOf(item));
    if (isTable && (isFirst || changed.length > 0)) {
      const table = formatTable(visible(presentation, format), changed, true);
      process.stdout.write(isFirst ? table : table.slice(table.indexOf('\n') + 1));
    } else if (!isTable) {
      for (const item of changed) {
        process.stdout.write(
          format === 'json' ? `${JSON.stringify(item)}\n` : formatList(presentation, [item], format),
        );
      }
    }
    await sleep(watchPeriodMs);
  }
}

function visible<T>(presentation: Presentation<T>, format: OutputFormat): Presentation<T>['columns'] {
  return presentation.columns.filter((column) => format === 'wide' || column.isWide !== true);
}
