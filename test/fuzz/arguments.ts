/** The arguments of `pnpm fuzz`. */
import { parseArgs } from 'node:util';

export interface FuzzArguments {
  readonly name: string;
  /** None: one is drawn and printed. */
  readonly seed?: bigint;
  readonly count: number;
  readonly isJson: boolean;
}

export type ParsedArguments =
  | { readonly is: 'arguments'; readonly arguments: FuzzArguments }
  | { readonly is: 'help' }
  | { readonly is: 'refused'; readonly problem: string };

const countDefault = 10_000;
/** A day's work and more. */
const countMax = 100_000_000;
const seedMax = 2n ** 64n - 1n;

export function usage(names: readonly string[]): string {
  return `usage: pnpm fuzz ${names.join('|')} [--seed S] [--count N] [--json]
  --seed S   where the random numbers begin, 0 to 2^64 - 1, 0x for hexadecimal; default: another one each time
  --count N  how many tests to run, 1 to ${countMax}; default ${countDefault}
  --json     one JSON object as the last line of stdout
Exit code 0: nothing failed; 1: something did, or the peer is absent; 2: the arguments are wrong.`;
}

/** @param names what can be fuzzed */
export function parseArguments(words: readonly string[], names: readonly string[]): ParsedArguments {
  let parsed: ReturnType<typeof parseWords>;
  try {
    parsed = parseWords(words);
  } catch (error) {
    return refuse(error instanceof Error ? error.message : String(error));
  }
  const { values, positionals } = parsed;
  if (values.help === true) return { is: 'help' };
  const [name, ...others] = positionals;
  if (name === undefined) return refuse(`say what to fuzz: ${names.join(', ')}`);
  if (!names.includes(name)) return refuse(`there is no fuzz ${name}; there is ${names.join(', ')}`);
  if (others.length > 0) return refuse(`one thing at a time, not also ${others.join(' ')}`);
  const seed = values.seed === undefined ? undefined : wholeNumber(values.seed);
  if (seed === null || (seed !== undefined && seed > seedMax)) {
    return refuse(`--seed takes a whole number from 0 to 2^64 - 1, not ${values.seed}`);
  }
  const count = values.count === undefined ? BigInt(countDefault) : wholeNumber(values.count);
  if (count === null || count < 1n || count > BigInt(countMax)) {
    return refuse(`--count takes a whole number from 1 to ${countMax}, not ${values.count}`);
  }
  return {
    is: 'arguments',
    arguments: {
      name,
      count: Number(count),
      isJson: values.json === true,
      ...(seed !== undefined && { seed }),
    },
  };
}

function parseWords(words: readonly string[]) {
  return parseArgs({
    args: [...words],
    allowPositionals: true,
    options: {
      seed: { type: 'string' },
      count: { type: 'string' },
      json: { type: 'boolean' },
      help: { type: 'boolean', short: 'h' },
    },
  });
}

/** Nothing for what is no whole number. */
function wholeNumber(text: string): bigint | null {
  return /^(?:\d+|0x[0-9a-f]+)$/i.test(text) ? BigInt(text) : null;
}

function refuse(problem: string): ParsedArguments {
  return { is: 'refused', problem };
}
