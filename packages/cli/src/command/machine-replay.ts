/** `skein machine replay`: runs a recording again, to its end or to a step, and says what the machine is like there. */
import { lastStepsOf, loadCore, type Machine, MachineError } from '@skein/machine';
import { type Command, InvalidArgumentError } from 'commander';
import { usageError } from '../failure.ts';
import { modeOf, registersOf } from '../machine/machine-registers.ts';
import { type RecordedMachine, readRecording, startReplay } from '../machine/recorded-machine.ts';
import { anotherPath } from './argument.ts';

interface MachineReplayOptions {
  readonly until?: bigint;
  readonly json?: boolean;
  readonly disk: readonly string[];
}

export function addMachineReplayCommand(machine: Command): void {
  machine
    .command('replay')
    .description(
      "run a recording of machine run --record again, to the same state. The guest's output goes to stdout, the " +
        'state it ends in to stderr. The kernel and RAM disk must still be where they were; disks are only read.',
    )
    .argument('<FILE>', 'the recording')
    .option('--until <STEP>', 'stop there; default: where the recording ends', stepArgument)
    .option(
      '--disk <FILE>',
      'a copy of its disk from before the run; one for each, in their order',
      anotherPath,
      [],
    )
    .option('--json', "the state as one JSON object on stdout; the guest's output is left out")
    .action(replayRecording);
}

async function replayRecording(path: string, options: MachineReplayOptions): Promise<void> {
  const recorded = await readRecording(path, options.disk);
  const { startSteps } = recorded.log;
  const last = lastStepsOf(recorded.log);
  const until = options.until ?? last;
  if (until < startSteps || until > last) {
    throw usageError(`--until is ${until}; ${path} goes from step ${startSteps} to step ${last}`);
  }
  const replay = startReplay(await loadCore(), recorded, (output) => {
    if (output.type === 'console' && options.json !== true) process.stdout.write(output.bytes.slice());
  });
  replay.runTo(until);
  checkEnd(recorded, replay.machine, until);
  if (options.json === true) process.stdout.write(`${JSON.stringify(stateOf(replay.machine))}\n`);
  else process.stderr.write(describeState(replay.machine));
}

/** @throws MachineError log.diverged */
function checkEnd({ path, log }: RecordedMachine, machine: Machine, until: bigint): void {
  if (log.end === undefined || until !== log.end.steps || machine.stateHash() === log.end.hash) return;
  const advice = 'another version of skein recorded it, or this is a mistake in skein';
  throw new MachineError('log.diverged', `${path}: the replay ends in another state than the run: ${advice}`);
}

function stateOf(machine: Machine): Record<string, unknown> {
  const registers = Object.entries(registersOf(machine)).map(([name, value]) => [name, hex(value)]);
  return {
    steps: String(machine.steps),
    stateHash: hex(machine.stateHash()),
    mode: modeOf(machine),
    isOff: machine.isHalted,
    registers: Object.fromEntries(registers),
  };
}

const registersPerLine = 3;

function describeState(machine: Machine): string {
  const cells = Object.entries(registersOf(machine)).map(([name, value]) => {
    return `${name.padStart(8)} ${hex(value).padEnd(18)}`;
  });
  const lines = Array.from({ length: Math.ceil(cells.length / registersPerLine) }, (_, line) =>
    cells
      .slice(line * registersPerLine, (line + 1) * registersPerLine)
      .join(' ')
      .trimEnd(),
  );
  const power = machine.isHalted ? ', off' : '';
  const head = `step ${machine.steps}, ${modeOf(machine)} mode${power}, state hash ${hex(machine.stateHash())}`;
  return `${[head, ...lines].join('\n')}\n`;
}

function stepArgument(text: string): bigint {
  if (!/^\d{1,19}$/.test(text)) throw new InvalidArgumentError('It must be a whole number of steps.');
  return BigInt(text);
}

function hex(value: bigint): string {
  return `0x${value.toString(16)}`;
}
