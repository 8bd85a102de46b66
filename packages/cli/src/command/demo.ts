/** `skein demo`: shows on a cluster of its own that it all truly works; exit code 0 only then. */
import { OperationError } from '@skein/shared';
import type { Command } from 'commander';
import { runDemo } from '../demo/demo.ts';
import { DemoClock, type DemoProgress } from '../demo/demo-run.ts';
import { formatReport } from '../demo/report.ts';
import { Interrupted } from '../failure.ts';
import { StatusLine } from '../output/status-line.ts';

interface DemoCommandOptions {
  readonly json?: boolean;
  readonly keep?: boolean;
}

export function addDemoCommand(program: Command): void {
  program
    .command('demo')
    .description(
      'boot guests on three hosts, let them talk, move one while it works, kill the host of another',
    )
    .option('--json', 'print the findings as one JSON object on the last line')
    .option('--keep', 'leave the cluster running')
    .action(demo);
}

async function demo(options: DemoCommandOptions): Promise<void> {
  const clock = new DemoClock();
  const line = new StatusLine();
  const abort = new AbortController();
  const onSignal = (): void =>
    abort.abort(new Interrupted('interrupted; all that the demo started is stopped'));
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, onSignal);
  try {
    const result = await runDemo({
      clock,
      isKept: options.keep === true,
      progress: progressOn(line, clock),
      signal: abort.signal,
    });
    line.clear();
    process.stdout.write(options.json === true ? `${JSON.stringify(result)}\n` : formatReport(result));
  } catch (error) {
    throw demoFailure(error);
  } finally {
    line.clear();
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.off(signal, onSignal);
  }
}

/** Whatever did not hold, the demo has failed (1); what exactly it was stands in the message and the details. */
function demoFailure(error: unknown): unknown {
  if (!(error instanceof OperationError)) return error;
  return new OperationError({
    code: 'operation.failed',
    message: `the demo failed: ${error.message}`,
    details: { ...error.details, code: error.code },
    cause: error,
  });
}

function progressOn(line: StatusLine, clock: DemoClock): DemoProgress {
  const stamp = (): string => `[${(clock.now() / 1000).toFixed(1).padStart(6)} s]`;
  return {
    step: (title) => line.say(`${stamp()} ${title}`),
    found: (text) => {
      for (const one of text.split('\n')) line.say(`           ${one}`);
    },
    waiting: (text) => line.show(`${stamp()}      ${text}`),
  };
}
