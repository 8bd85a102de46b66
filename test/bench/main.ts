/**
 * `pnpm bench NAME [--quick] [--only=PART,...] [--json]`: speed and cost, measured on this machine now. Progress goes to stderr; with
 * --json the last line of stdout is one JSON object. Sides alternate and medians count, for these machines are
 * shared and noisy.
 */
interface BenchOptions {
  readonly quick: boolean;
  /** Parts that were asked for, of a bench that has parts; empty: all. */
  readonly only: readonly string[];
  /** A line for people. */
  readonly say: (line: string) => void;
}

/** Runs the measurement; returns the object that --json prints. */
export type Bench = (options: BenchOptions) => Promise<Readonly<Record<string, unknown>>>;

const benches: Readonly<Record<string, () => Promise<Bench>>> = {
  failover: async () => (await import('./failover.ts')).benchFailover,
  layers: async () => (await import('./layers/layers.ts')).benchLayers,
  link: async () => (await import('./link/link.ts')).benchLink,
  machine: async () => (await import('./machine.ts')).benchMachine,
  pairs: async () => (await import('./pairs/pairs.ts')).benchPairs,
  migration: async () => (await import('./migration/migration.ts')).benchMigration,
  transfer: async () => (await import('./transfer.ts')).benchTransfer,
};

const [name, ...flags] = process.argv.slice(2);
const onlyFlag = '--only=';
const unknown = flags.filter((flag) => !['--quick', '--json'].includes(flag) && !flag.startsWith(onlyFlag));
const only = flags
  .filter((flag) => flag.startsWith(onlyFlag))
  .flatMap((flag) => flag.slice(onlyFlag.length).split(','));
const load = name === undefined ? undefined : benches[name];
if (load === undefined || unknown.length > 0) {
  const problem = unknown.length > 0 ? `unknown option ${unknown.join(' ')}` : `no bench ${name ?? 'named'}`;
  console.error(
    `${problem}; usage: pnpm bench ${Object.keys(benches).join('|')} [--quick] [--only=PART,...] [--json]`,
  );
  process.exit(2);
}
const bench = await load();
const result = await bench({
  quick: flags.includes('--quick'),
  only,
  say: (line) => console.error(line),
});
if (flags.includes('--json')) console.log(JSON.stringify(result));
else
  for (const [key, value] of Object.entries(result))
    console.log(`${key.padEnd(20)} ${JSON.stringify(value)}`);
process.exit(0);
