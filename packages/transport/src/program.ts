/**
 * How each of our processes starts and ends: `--config FILE`, with what `SKEIN_CONFIG` sets instead, validated whole; one
 * JSON line on stdout when it is ready; SIGTERM and SIGINT end it cleanly; an error is one clear line and the exit code
 * of its kind. `--health-file FILE` is written each second, empty while it is well: what a container's health check looks at.
 * `--check` reads the configuration and all that it names, starts nothing, and ends with 0 or with every problem.
 */
import { readFile, rename, writeFile } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import { exitCodes, OperationError } from '@skein/shared';
import { z } from 'zod';

export interface RunningProgram {
  /** Printed as `{"ready":true,"pid":...,...}`. */
  readonly ready: Readonly<Record<string, unknown>>;
  /** Why it does not yet do what it is there for, a sentence each; without any it does. */
  readonly ailments?: () => readonly string[];
  close(): Promise<void>;
}

const closeDeadlineMs = 3000;
const healthPeriodMs = 1000;

/** `check` throws what is wrong with files that the configuration names. */
export async function runProgram<C>(
  schema: z.ZodType<C>,
  start: (config: C) => Promise<RunningProgram>,
  check: (config: C) => Promise<void> = async () => {},
): Promise<void> {
  try {
    const { config: path, 'health-file': healthFile, check: isCheck } = readArguments();
    const config = await readConfig(schema, path);
    if (isCheck === true) {
      await check(config);
      return;
    }
    const running = await start(config);
    if (healthFile !== undefined) setInterval(() => void tellHealth(running, healthFile), healthPeriodMs);
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

/** The file holds what ails it: an empty one that is fresh says that it is well. It is never seen half written. */
async function tellHealth({ ailments }: RunningProgram, path: string): Promise<void> {
  const reasons = ailments?.() ?? [];
  try {
    await writeFile(`${path}.new`, reasons.map((reason) => `${reason}\n`).join(''));
    await rename(`${path}.new`, path);
  } catch (error) {
    process.stderr.write(`the health file: ${(error as Error).message}\n`);
  }
}

async function readConfig<C>(schema: z.ZodType<C>, path: string): Promise<C> {
  const set = parseJson('SKEIN_CONFIG', process.env.SKEIN_CONFIG ?? '{}');
  const config = merged(parseJson(path, await readText(path)), set);
  const parsed = schema.safeParse(config);
  if (parsed.success) return parsed.data;
  const sources = process.env.SKEIN_CONFIG === undefined ? path : `${path} with SKEIN_CONFIG`;
  throw new OperationError({
    code: 'config.invalid',
    message: `${sources}:\n${z.prettifyError(parsed.error)}`,
  });
}

/** What is set replaces what the file says, key by key; lists are replaced whole. */
function merged(base: unknown, set: unknown): unknown {
  if (!isRecord(base) || !isRecord(set)) return set;
  const result: Record<string, unknown> = { ...base };
  for (const [key, value] of Object.entries(set)) {
    result[key] = Object.hasOwn(base, key) ? merged(base[key], value) : value;
  }
  return result;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

async function readText(path: string): Promise<string> {
  return await readFile(path, 'utf8').catch((cause: unknown) => {
    throw new OperationError({
      code: 'config.unreadable',
      message: `cannot read the configuration ${path}`,
      cause,
    });
  });
}

interface Arguments {
  readonly config: string;
  readonly 'health-file'?: string | undefined;
  readonly check?: boolean | undefined;
}

function readArguments(): Arguments {
  const usage = 'usage: --config FILE [--health-file FILE] [--check]';
  try {
    const { values } = parseArgs({
      options: { config: { type: 'string' }, 'health-file': { type: 'string' }, check: { type: 'boolean' } },
    });
    if (values.config !== undefined) return { ...values, config: values.config };
  } catch (cause) {
    throw new OperationError({
      code: 'config.invalid',
      message: `${(cause as Error).message}; ${usage}`,
      cause,
    });
  }
  throw new OperationError({ code: 'config.invalid', message: usage });
}

function parseJson(path: string, text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new OperationError({
      code: 'config.invalid',
      message: `${path} is not JSON: ${(cause as Error).message}${excerptAt(text, (cause as Error).message)}`,
      cause,
    });
  }
}

/** What stands where the parser stopped: whoever set a part of the text recognises it. */
function excerptAt(text: string, message: string): string {
  const position = Number(/at position (\d+)/.exec(message)?.[1] ?? Number.NaN);
  if (Number.isNaN(position)) return '';
  const excerpt = text.slice(Math.max(0, position - 20), position + 10).replaceAll(/\s+/g, ' ');
  return `, near ${JSON.stringify(excerpt)}`;
}
