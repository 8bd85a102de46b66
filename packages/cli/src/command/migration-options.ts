/** The options that say how a VM is migrated: those of `vm migrate`, and of `migration replay`, which asks what if. */
import { CompressionChoice, MigrationMode, MigrationSettings, OnNoConvergence } from '@skein/shared';
import { type Command, InvalidArgumentError, Option } from 'commander';

/** What takes a cap away. Commander makes an empty text of null, so that is not for its parsers. */
const noCap = 'none';

/** As commander hands them over: what was not given is not there. */
export interface SettingOptions {
  readonly mode?: MigrationMode;
  readonly downtime?: number;
  readonly deadline?: number;
  readonly onNoConvergence?: OnNoConvergence;
  readonly autoConverge?: boolean;
  readonly bandwidth?: number | typeof noCap;
  readonly compression?: CompressionChoice;
  readonly deltas?: boolean;
}

export function addSettingOptions(command: Command): Command {
  return command
    .addOption(new Option('--mode <MODE>', 'how pages travel').choices(MigrationMode.options))
    .option('--downtime <MS>', 'stop the guest when the rest is expected to take no longer', downtimeArgument)
    .option('--deadline <TIME>', 'give up when it has not committed by then: 30s, 5m', deadlineArgument)
    .addOption(
      new Option('--on-no-convergence <WHAT>', 'when rounds are of no use, slowed or not').choices(
        OnNoConvergence.options,
      ),
    )
    .option('--auto-converge', 'slow the vCPU step by step where rounds do not help')
    .option('--no-auto-converge', 'never slow the vCPU')
    .option('--bandwidth <RATE>', 'send no faster: 100mbit, 20MB (a second), none', bandwidthArgument)
    .addOption(new Option('--compression <WHEN>', 'of pages').choices(CompressionChoice.options))
    .option('--deltas', 'send pages that got dirty again as what changed in them')
    .option('--no-deltas', 'send whole pages always');
}

/** What was given; the rest is for whoever knows the defaults. */
export function givenSettings(options: SettingOptions): Partial<MigrationSettings> {
  const settings = {
    mode: options.mode,
    downtimeBudgetMs: options.downtime,
    deadlineMs: options.deadline,
    onNoConvergence: options.onNoConvergence,
    autoConverge: options.autoConverge,
    bandwidthCapBytesPerS: options.bandwidth === noCap ? null : options.bandwidth,
    compression: options.compression,
    deltas: options.deltas,
  };
  return Object.fromEntries(Object.entries(settings).filter(([, value]) => value !== undefined));
}

function downtimeArgument(text: string): number {
  const ms = /^\d{1,5}(\.\d{1,3})?$/.test(text) ? Number(text) : Number.NaN;
  if (MigrationSettings.shape.downtimeBudgetMs.safeParse(ms).success) return ms;
  throw new InvalidArgumentError('It must be a number of milliseconds from 1 to 10000.');
}

const msOf = { s: 1000, m: 60_000, h: 3_600_000 } as const;

function deadlineArgument(text: string): number {
  const [, count = '', unit = ''] = /^(\d{1,5})([smh])$/.exec(text) ?? [];
  const ms = Number(count) * (msOf[unit as keyof typeof msOf] ?? Number.NaN);
  if (MigrationSettings.shape.deadlineMs.safeParse(ms).success) return ms;
  throw new InvalidArgumentError('It must be a time from 1s to 1h, such as 30s or 5m.');
}

/** Bytes a second for each unit: bits as tc(8) writes them, bytes with decimal or binary prefixes. */
const bytesPerUnit: Readonly<Record<string, number>> = {
  kbit: 1e3 / 8,
  mbit: 1e6 / 8,
  gbit: 1e9 / 8,
  kb: 1e3,
  mb: 1e6,
  gb: 1e9,
  kib: 2 ** 10,
  mib: 2 ** 20,
  gib: 2 ** 30,
};
const bytesPerSMax = 100e9 / 8;

/** `100mbit`, `20MB`, `20MiB/s` in bytes a second; or `none`. */
export function bandwidthArgument(text: string): number | typeof noCap {
  if (text === noCap) return noCap;
  const [, count = '', unit = ''] = /^(\d{1,9}(?:\.\d{1,6})?)([kmg]bit|[kmg]i?b)(?:\/s)?$/i.exec(text) ?? [];
  const bytesPerS = Math.round(Number(count) * (bytesPerUnit[unit.toLowerCase()] ?? Number.NaN));
  const isAllowed = MigrationSettings.shape.bandwidthCapBytesPerS.safeParse(bytesPerS).success;
  if (isAllowed && bytesPerS <= bytesPerSMax) return bytesPerS;
  throw new InvalidArgumentError(
    'It must be a rate such as 100mbit, 1gbit, 20MB or 20MiB (a second), from 64KiB to 100gbit, or none.',
  );
}
