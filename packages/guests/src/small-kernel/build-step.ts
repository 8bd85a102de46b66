/**
 * Runs one program of a long build: its output goes to a log, its lines are counted, and an interruption ends it together
 * with all that it has started.
 */
import { spawn } from 'node:child_process';
import { createWriteStream } from 'node:fs';
import { createInterface } from 'node:readline';
import { finished } from 'node:stream/promises';
import { GuestImageError } from '../guest-image-error.ts';

export interface BuildStep {
  /** For people: what failed, if it does. */
  readonly what: string;
  readonly command: readonly string[];
  readonly workingDirectory: string;
  /** All of it: nothing of the caller's own may change what is built. */
  readonly environment: Readonly<Record<string, string>>;
  /** Added to. */
  readonly logPath: string;
  readonly onLine?: (line: string) => void;
  readonly signal: AbortSignal | undefined;
}

/** Ten times what two slow cores take for all of the kernel. */
const deadlineMs = 3_600_000;
const tellingLinesMax = 3;

/** @throws GuestImageError image.build-failed with the last lines of errors; the reason of an interruption */
export async function runBuildStep(step: BuildStep): Promise<void> {
  step.signal?.throwIfAborted();
  const [program = '', ...args] = step.command;
  // A process group of its own, so that compilers end with make.
  const child = spawn(program, args, {
    cwd: step.workingDirectory,
    env: { ...step.environment },
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: true,
  });
  const end = (): void => endGroup(child.pid);
  const timer = setTimeout(end, deadlineMs);
  step.signal?.addEventListener('abort', end);
  const log = createWriteStream(step.logPath, { flags: 'a' });
  log.write(`$ ${step.command.join(' ')}\n`);
  const errors: string[] = [];
  createInterface({ input: child.stdout }).on('line', (line) => {
    log.write(`${line}\n`);
    step.onLine?.(line);
  });
  createInterface({ input: child.stderr }).on('line', (line) => {
    log.write(`${line}\n`);
    if (errors.length < tellingLinesMax || /error|Error/.test(line)) errors.push(line);
  });
  const ending = await new Promise<number | string>((resolve) => {
    child.once('error', (cause) => resolve(cause.message));
    child.once('close', (code, signal) => resolve(code ?? signal ?? 'a signal'));
  });
  clearTimeout(timer);
  step.signal?.removeEventListener('abort', end);
  log.end();
  await finished(log);
  step.signal?.throwIfAborted();
  if (ending === 0) return;
  const reason = errors.length === 0 ? `it ended with ${ending}` : errors.slice(-tellingLinesMax).join('; ');
  throw new GuestImageError('image.build-failed', `${step.what}: ${reason}; all of it is in ${step.logPath}`);
}

function endGroup(pid: number | undefined): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, 'SIGKILL');
  } catch (cause) {
    // It has just ended by itself.
    if (!(cause instanceof Error && 'code' in cause && cause.code === 'ESRCH')) throw cause;
  }
}
