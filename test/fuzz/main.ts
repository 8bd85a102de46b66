/**
 * `pnpm fuzz NAME [--seed S] [--count N] [--json]`: random tests against a peer, many more than `pnpm test` has time
 * for. Progress goes to stderr; what failed goes to stdout, each with the seed that makes it again; with --json the
 * last line of stdout is one JSON object. Exit code 0: nothing failed; 1: something did, or the peer is absent; 2: the
 * arguments are wrong.
 */
import { randomBytes } from 'node:crypto';
import { type FuzzArguments, parseArguments, usage } from './arguments.ts';

export interface FuzzOptions {
  readonly seed: bigint;
  readonly count: number;
  /** A line for people, while it runs. */
  readonly say: (line: string) => void;
}

export interface FuzzResult {
  /** For people, one for each failure that was looked into. */
  readonly reports: readonly string[];
  readonly failed: number;
  /** What --json prints beside the seed. */
  readonly figures: Readonly<Record<string, unknown>>;
}

export type Fuzz = (options: FuzzOptions) => Promise<FuzzResult>;

const fuzzes: Readonly<Record<string, () => Promise<Fuzz>>> = {
  machine: async () => (await import('./machine.ts')).fuzzMachine,
};

process.exitCode = await main(process.argv.slice(2));

async function main(words: readonly string[]): Promise<number> {
  const parsed = parseArguments(words, Object.keys(fuzzes));
  if (parsed.is === 'help') {
    console.log(usage(Object.keys(fuzzes)));
    return 0;
  }
  if (parsed.is === 'refused') {
    console.error(`${parsed.problem}\n${usage(Object.keys(fuzzes))}`);
    return 2;
  }
  try {
    return await runFuzz(parsed.arguments);
  } catch (error) {
    console.error(`pnpm fuzz ${parsed.arguments.name}: ${error instanceof Error ? error.message : error}`);
    return 1;
  }
}

async function runFuzz({ name, count, isJson, ...given }: FuzzArguments): Promise<number> {
  const fuzz = await fuzzes[name]?.();
  if (fuzz === undefined) throw new Error('there is no such fuzz');
  const seed = given.seed ?? randomBytes(8).readBigUInt64LE();
  console.error(`${name}: ${count} from seed ${seed}`);
  const { reports, failed, figures } = await fuzz({ seed, count, say: (line) => console.error(line) });
  for (const report of reports) console.log(`${report}\n`);
  // A seed has 64 bits, more than a JSON number holds.
  if (isJson) console.log(JSON.stringify({ seed: String(seed), failed, ...figures }));
  return failed === 0 ? 0 : 1;
}
