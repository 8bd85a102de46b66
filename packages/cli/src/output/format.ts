/** The forms in which objects are printed: `--output table|wide|json|yaml|name`. JSON is the API's object unchanged. */
import { stringify } from 'yaml';
import { usageError } from '../failure.ts';
import { type Column, formatTable } from './table.ts';

export const outputFormats = ['table', 'wide', 'json', 'yaml', 'name'] as const;
export type OutputFormat = (typeof outputFormats)[number];

/** From the option, else `$SKEIN_OUTPUT`, else a table. @throws OperationError request.invalid */
export function outputFormat(
  option: string | undefined,
  environment: NodeJS.ProcessEnv = process.env,
): OutputFormat {
  const variable = environment.SKEIN_OUTPUT;
  const text = option ?? (variable === undefined || variable === '' ? 'table' : variable);
  const format = outputFormats.find((one) => one === text);
  if (format !== undefined) return format;
  const origin = option === undefined ? 'SKEIN_OUTPUT' : '--output';
  throw usageError(`${origin} is ${text}; it must be one of ${outputFormats.join(', ')}`);
}

/** How objects of one kind are shown. */
export interface Presentation<T> {
  /** Singular, as in `vm/web1`. */
  readonly kind: string;
  readonly nameOf: (item: T) => string;
  readonly columns: readonly Column<T>[];
}

export function formatList<T>(
  presentation: Presentation<T>,
  items: readonly T[],
  format: OutputFormat,
): string {
  switch (format) {
    case 'json':
      return `${JSON.stringify(items, null, 2)}\n`;
    case 'yaml':
      return stringify(items);
    case 'name':
      return items.map((item) => `${presentation.kind}/${presentation.nameOf(item)}\n`).join('');
    default:
      return formatTable(presentation.columns, items, format === 'wide');
  }
}

/** One object that was asked for by its name: JSON and YAML have it without a list around it. */
export function formatOne<T>(presentation: Presentation<T>, item: T, format: OutputFormat): string {
  if (format === 'json') return `${JSON.stringify(item, null, 2)}\n`;
  if (format === 'yaml') return stringify(item);
  return formatList(presentation, [item], format);
}
