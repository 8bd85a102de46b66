/** `skein machine diff`: the first step at which two recorded runs differ, and in what. */
import {
  firstDifference,
  type LoggedInput,
  lastStepsOf,
  loadCore,
  type Machine,
  type Replay,
} from '@skein/machine';
import type { Command } from 'commander';
import { differingPages, modeOf, registersOf } from '../machine/machine-registers.ts';
import { type RecordedMachine, readRecording, startReplay } from '../machine/recorded-machine.ts';
import { anotherPath } from './argument.ts';
import { finishWith } from './outcome.ts';

/** 1 says that they differ: as diff(1) does it, what goes wrong is 2. */
export const exitCodeDiffFailed = 2;

interface MachineDiffOptions {
  readonly json?: boolean;
  readonly disk: readonly string[];
}

/** What is printed, in words or as JSON. */
interface RunDifference {
  readonly differs: true;
  readonly step: string;
  /** Of what the two machines were started from. */
  readonly origin: readonly string[];
  readonly inputs: readonly [a: readonly unknown[], b: readonly unknown[]];
  readonly registers: Readonly<Record<string, readonly [a: string, b: string]>>;
  /** Addresses of pages of RAM. */
  readonly pages: readonly string[];
}

export function addMachineDiffCommand(machine: Command): void {
  machine
    .command('diff')
    .description(
      'replay two recordings of machine run --record and name the first step at which their machines differ. ' +
        'Exit code 0: they do not; 1: they do; 2: it could not be told.',
    )
    .argument('<A>', 'a recording')
    .argument('<B>', 'another one')
    .option(
      '--disk <FILE>',
      'a copy of their disk from before both runs; one for each, in order',
      anotherPath,
      [],
    )
    .option('--json', 'print one JSON object')
    .action(async (a: string, b: string, options: MachineDiffOptions) => {
      const { disk } = options;
      const [one, other] = await Promise.all([readRecording(a, disk), readRecording(b, disk)]);
      finishWith(await compareRecordings(one, other, options));
    });
}

async function compareRecordings(
  a: RecordedMachine,
  b: RecordedMachine,
  options: MachineDiffOptions,
): Promise<number> {
  const core = await loadCore();
  const [one, other] = [startReplay(core, a, () => {}), startReplay(core, b, () => {})];
  const found = firstDifference({ log: a.log, replay: one }, { log: b.log, replay: other });
  if (found === null) {
    const [lastA, lastB] = [lastStepsOf(a.log), lastStepsOf(b.log)];
    if (options.json === true) process.stdout.write(`${JSON.stringify({ differs: false })}\n`);
    else process.stdout.write(sameInWords(a, b, lastA, lastB));
    return 0;
  }
  const difference: RunDifference = {
    differs: true,
    step: String(found.steps),
    origin: differingOrigin(a, b),
    inputs: [found.inputs[0].map(plainInput), found.inputs[1].map(plainInput)],
    ...differingState(one, other),
  };
  process.stdout.write(options.json === true ? `${JSON.stringify(difference)}\n` : inWords(a, b, difference));
  return 1;
}

function differingOrigin({ origin: a }: RecordedMachine, { origin: b }: RecordedMachine): readonly string[] {
  const names = Object.keys({ ...a, ...b }) as (keyof typeof a)[];
  return names.filter((name) => JSON.stringify(a[name]) !== JSON.stringify(b[name]));
}

function differingState(one: Replay, other: Replay): Pick<RunDifference, 'registers' | 'pages'> {
  const [left, right] = [statesOf(one.machine), statesOf(other.machine)];
  const registers = Object.entries(left).flatMap(([name, value]) => {
    const against = right[name] ?? '';
    return value === against ? [] : [[name, [value, against] as const] as const];
  });
  return {
    registers: Object.fromEntries(registers),
    pages: differingPages(one.machine, other.machine).map((address) => `0x${address.toString(16)}`),
  };
}

function statesOf(machine: Machine): Readonly<Record<string, string>> {
  const registers = Object.entries(registersOf(machine)).map(([name, value]) => [
    name,
    `0x${value.toString(16)}`,
  ]);
  return {
    mode: modeOf(machine),
    'guest time': String(machine.guestTimeTicks()),
    ...Object.fromEntries(registers),
  };
}

function plainInput({ input }: LoggedInput): unknown {
  return JSON.parse(
    JSON.stringify(input, (_, value: unknown) => {
      if (typeof value === 'bigint') return String(value);
      return value instanceof Uint8Array ? Buffer.from(value).toString('latin1') : value;
    }),
  );
}

function sameInWords(a: RecordedMachine, b: RecordedMachine, lastA: bigint, lastB: bigint): string {
  if (lastA === lastB) return `the runs are the same, ${lastA} steps\n`;
  const [longer, shorter, end] = lastA > lastB ? [a, b, lastB] : [b, a, lastA];
  return `the runs are the same to step ${end}, where ${shorter.path} ends; ${longer.path} goes on\n`;
}

const pagesShown = 8;

function inWords(a: RecordedMachine, b: RecordedMachine, difference: RunDifference): string {
  const { step, origin, inputs, registers, pages } = difference;
  const inputLines = [a, b].flatMap(({ path }, side) =>
    (inputs[side] ?? []).map((input) => `  ${path} is given ${JSON.stringify(input)}`),
  );
  const more = pages.length > pagesShown ? ` and ${pages.length - pagesShown} more` : '';
  const lines = [
    `the runs differ at step ${step}`,
    ...(origin.length === 0 ? [] : [`  they were started from another ${origin.join(', ')}`]),
    ...inputLines,
    ...Object.entries(registers).map(([name, [left, right]]) => `  ${name.padEnd(10)} ${left}  ${right}`),
    ...(pages.length === 0 ? [] : [`  pages of RAM: ${pages.slice(0, pagesShown).join(' ')}${more}`]),
  ];
  // What is told apart by neither is a device's.
  if (lines.length === 1) lines.push('  in the state of their devices');
  return `${lines.join('\n')}\n`;
}
