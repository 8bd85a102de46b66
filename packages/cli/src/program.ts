/** The command line as a whole: which commands there are, and how any of them ends. */
import { Command, CommanderError } from 'commander';
import { addDemoCommand } from './command/demo.ts';
import { addDescribeCommand } from './command/describe.ts';
import { addDoctorCommand } from './command/doctor.ts';
import { addDownCommand } from './command/down.ts';
import { addEventsCommand } from './command/events.ts';
import { addFaultCommand } from './command/fault.ts';
import { addGetCommand } from './command/get.ts';
import { addHostCommand } from './command/host.ts';
import { addImageCommand } from './command/image.ts';
import { addLinkCommand } from './command/link.ts';
import { exitCodeDiffFailed } from './command/machine-diff.ts';
import { addMachineCommand, exitCodeMachineFailed } from './command/machine-run.ts';
import { addMigrationCommand } from './command/migration.ts';
import { addOperationCommand } from './command/operation.ts';
import { finishedWith } from './command/outcome.ts';
import { addSharedOptions } from './command/shared-options.ts';
import { addTokenCommand } from './command/token.ts';
import { addUpCommand } from './command/up.ts';
import { addVmCommand } from './command/vm.ts';
import { failureOf, problemDetails, usageError } from './failure.ts';

/** Runs one command line; returns the exit code (design: interfaces, exit codes). */
export async function runProgram(args: readonly string[]): Promise<number> {
  ignoreClosedOutput();
  const program = createProgram();
  try {
    await program.parseAsync(args, { from: 'user' });
    return finishedWith();
  } catch (error) {
    if (error instanceof CommanderError && error.exitCode === 0) return 0;
    return report(withKnownCommands(error, program, args), args);
  }
}

function createProgram(): Command {
  const program = new Command('skein')
    .description(
      'A virtualization cluster that really runs: RISC-V Linux guests on hosts that are processes.',
    )
    .version('0.1.0')
    .configureOutput({ outputError: () => {} })
    .exitOverride();
  addSharedOptions(program);
  for (const add of [
    addUpCommand,
    addDownCommand,
    addGetCommand,
    addDescribeCommand,
    addVmCommand,
    addOperationCommand,
    addMigrationCommand,
    addHostCommand,
    addEventsCommand,
    addFaultCommand,
    addLinkCommand,
    addTokenCommand,
    addImageCommand,
    addMachineCommand,
    addDoctorCommand,
    addDemoCommand,
  ]) {
    add(program);
  }
  inherit(program);
  return program;
}

/** Subcommands made before a setting do not have it. */
function inherit(parent: Command): void {
  for (const command of parent.commands) {
    command.copyInheritedSettings(parent);
    inherit(command);
  }
}

/** An unknown word is told with those that could have stood there. */
function withKnownCommands(error: unknown, program: Command, args: readonly string[]): unknown {
  if (!(error instanceof CommanderError) || error.code !== 'commander.unknownCommand') return error;
  let here = program;
  for (const arg of args.filter((word) => !word.startsWith('-'))) {
    const next = here.commands.find((command) => command.name() === arg || command.aliases().includes(arg));
    if (next === undefined) break;
    here = next;
  }
  const known = here.commands.map((command) => command.name()).join(', ');
  return usageError(`${error.message.replace(/^error: /, '')}; known here: ${known}`);
}

/** Where other codes are the command's results. */
const ownExitCodes = [
  ['machine', 'run', exitCodeMachineFailed],
  ['machine', 'diff', exitCodeDiffFailed],
] as const;

function report(error: unknown, args: readonly string[]): number {
  const failure = failureOf(error);
  const own = ownExitCodes.find(([noun, verb]) => args[0] === noun && args[1] === verb);
  const exitCode = own?.[2] ?? failure.exitCode;
  if (failure.message.includes('(outputHelp)')) return exitCode; // commander has printed the help
  if (wantsJson(args)) {
    process.stderr.write(`${JSON.stringify({ ...problemDetails(failure), exitCode })}\n`);
  } else {
    process.stderr.write(`skein: ${failure.message.replace('\n(', ' (')}\n`);
  }
  return exitCode;
}

/** Also true for a command line that could not be understood: the one who sent it still reads JSON. */
function wantsJson(args: readonly string[]): boolean {
  const index = args.findIndex((arg) => arg === '--output' || arg === '-o');
  const given = index >= 0 ? args[index + 1] : args.find((arg) => arg.startsWith('--output='))?.slice(9);
  return (given ?? process.env.SKEIN_OUTPUT) === 'json' || args.includes('--json');
}

/** `skein get vm | head -1`: nobody reads any more, which is no failure. */
function ignoreClosedOutput(): void {
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'EPIPE') process.exit(0);
    throw error;
  });
}
