/**
 * Runs one of the machine's own programs (apt-get, dpkg-deb) to its end, with a deadline and a bounded output.
 * No shell is in between, so nothing in an argument is ever interpreted.
 */
import { spawn } from 'node:child_process';
import { GuestImageError } from './guest-image-error.ts';

export interface CommandOptions {
  readonly deadlineMs: number;
  readonly environment?: Readonly<Record<string, string>>;
  readonly workingDirectory?: string;
  /** Bytes of standard output; more is a failure. */
  readonly outputBytesMax?: number;
}

export interface CommandResult {
  readonly exitCode: number;
  readonly stdout: Buffer;
  /** The last 16 KiB of it. */
  readonly stderr: string;
}

const stderrBytesMax = 16 * 1024;
const outputBytesMaxDefault = 16 * 1024 * 1024;

/**
 * @throws GuestImageError image.unavailable when the program is absent, outlives its deadline or says too much.
 * A nonzero exit code is a result, not an error: the caller knows what it means.
 */
export async function runCommand(
  program: string,
  args: readonly string[],
  options: CommandOptions,
): Promise<CommandResult> {
  const chunks: Buffer[] = [];
  const result = await streamCommand(program, args, options, async (output) => {
    let bytes = 0;
    const bytesMax = options.outputBytesMax ?? outputBytesMaxDefault;
    for await (const chunk of output) {
      bytes += chunk.length;
      if (bytes > bytesMax) {
        throw new GuestImageError('image.unavailable', `${program} printed more than ${bytesMax} bytes`);
      }
      chunks.push(Buffer.from(chunk));
    }
  });
  return { ...result, stdout: Buffer.concat(chunks) };
}

/**
 * Like `runCommand`, but hands standard output on while the program runs. When `consume` throws or returns early,
 * the program is ended and the error is passed on; an early return counts as exit code 0.
 */
export async function streamCommand(
  program: string,
  args: readonly string[],
  options: CommandOptions,
  consume: (output: AsyncIterable<Uint8Array>) => Promise<void>,
): Promise<Omit<CommandResult, 'stdout'>> {
  const child = spawn(program, args, {
    stdio: ['ignore', 'pipe', 'pipe'],
    cwd: options.workingDirectory,
    env: { ...process.env, LC_ALL: 'C', ...options.environment },
    timeout: options.deadlineMs,
    killSignal: 'SIGKILL',
  });
  let stderr = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr = (stderr + text).slice(-stderrBytesMax);
  });
  const started = performance.now();
  const closed = new Promise<number>((resolve, reject) => {
    child.once('error', (cause: NodeJS.ErrnoException) => reject(explainSpawnFailure(program, cause)));
    child.once('close', (code, signal) => {
      if (code !== null) resolve(code);
      else if (performance.now() - started >= options.deadlineMs) {
        reject(
          new GuestImageError(
            'image.unavailable',
            `${program} did not finish within ${Math.round(options.deadlineMs / 1000)} s`,
          ),
        );
      } else
        reject(new GuestImageError('image.unavailable', `${program} was ended by ${signal ?? 'a signal'}`));
    });
  });
  // Whoever fails first tells the reason; the other one's failure is only its echo.
  closed.catch(() => undefined);
  let ended = false;
  try {
    await consume(
      (async function* () {
        yield* child.stdout as AsyncIterable<Uint8Array>;
        ended = true;
      })(),
    );
  } catch (cause) {
    child.kill('SIGKILL');
    await closed.catch(() => undefined);
    throw cause;
  }
  if (!ended) {
    child.kill('SIGKILL');
    await closed.catch(() => undefined);
    return { exitCode: 0, stderr };
  }
  return { exitCode: await closed, stderr };
}

function explainSpawnFailure(program: string, cause: NodeJS.ErrnoException): GuestImageError {
  const message =
    cause.code === 'ENOENT'
      ? `this machine has no ${program}; the guest image is made from Debian's packages and needs apt and dpkg`
      : `${program} could not be started: ${cause.message}`;
  return new GuestImageError('image.unavailable', message, { cause });
}
