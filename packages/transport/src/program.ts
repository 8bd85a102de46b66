/**
 * How each of our processes starts and ends: `--config FILE`, validated whole; one JSON line on stdout when it is
 * ready; SIGTERM and SIGINT end it cleanly; an error is one clear line and the exit code of its kind.
 */
import { readFile } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import { exitCodes, OperationError } from '@skein/shared';
import { z } from 'zod';

export interface RunningProgram {
  /** Printed as `{"ready":true,"pid":...,...}`. */
  readonly ready: Readonly<Record<string, unknown>>;
  close(): Promise<void>;
}

const closeDeadlineMs = 3000;

export async function runProgram<C>(
  schema: z.ZodType<C>,
  start: (config: C) => Promise<RunningProgram>,
): Promise<void> {
  try {
    const running = await start(await readConfig(schema));
    for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => void stop(running));
    process.stdout.write(`${JSON.stringify({ ready: true, pid: process.pid, ...running.ready })}\n`);
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
    process.exit(error instanceof OperationError ? exitCodes[error.kind] : 1);
  }
}

async function stop(running: RunningProgram): Promise<void> {
  setTimeout(() => process.exit(1), closeDeadlineMs).unref();
  await running.close();
  process.exit(0);
}

async function readConfig<C>(schema: z.ZodType<C>): Promise<C> {
  const path = configPath();
  const text = await readFile(path, 'utf8').catch((cause: unknown) => {
    throw new OperationError({
      code: 'config.unreadable',
      message: `cannot read the configuration ${path}`,
      cause,
    });
  });
  const parsed = schema.safeParse(parseJson(path, text));
  if (parsed.success) return parsed.data;
  throw new OperationError({ code: 'config.invalid', message: `${path}:\n${z.prettifyError(parsed.error)}` });
}

function configPath(): string {
  try {
    const { values } = parseArgs({ options: { config: { type: 'string' } } });
    if (values.config !== undefined) return values.config;
  } catch (cause) {
    throw new OperationError({
      code: 'config.invalid',
      message: `${(cause as Error).message}; usage: --config FILE`,
      cause,
    });
  }
  throw new OperationError({ code: 'config.invalid', message: 'usage: --config FILE' });
}

function parseJson(path: string, text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new OperationError({
      code: 'config.invalid',
      message: `${path} is not JSON: ${(cause as Error).message}`,
      cause,
    });
  }
}
