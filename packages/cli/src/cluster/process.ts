/**
 * One process of a cluster from outside: started with its configuration file, ready when it says so on its standard
 * output, ended by signal. A pid is trusted only while its command line names the configuration file.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import { readFile, stat } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { OperationError, programEnvironment } from '@skein/shared';
import type { PlannedProcess } from './configuration.ts';
import { type ClusterProcess, makePrivateFolder, type ProcessRole, writePrivate } from './state-folder.ts';

const workspaceRoot = resolve(import.meta.dirname, '../../../..');

const programs: Readonly<Record<ProcessRole, string>> = {
  coordinator: join(workspaceRoot, 'packages/coordinator/src/main.ts'),
  storage: join(workspaceRoot, 'packages/storage/src/main.ts'),
  agent: join(workspaceRoot, 'packages/host-agent/src/main.ts'),
  gateway: join(workspaceRoot, 'packages/cli/src/namespaces/gateway.ts'),
};

/** Which of our programs a word of a command line names, if any. */
export function roleOf(path: string): ProcessRole | null {
  const found = Object.entries(programs).find(([, program]) => program === path);
  return found === undefined ? null : (found[0] as ProcessRole);
}

/** Two busy cores start an agent in about two seconds. */
const readyDeadlineMs = 30_000;
const pollMs = 20;
/** Programs close by themselves within 3 s of SIGTERM; then they are killed. */
const closeDeadlineMsDefault = 5000;
const killDeadlineMs = 2000;
const logTailBytes = 2000;

export interface StartOptions {
  readonly role: ProcessRole;
  readonly name: string;
  readonly place: PlannedProcess;
  /** Absent: the file is there from an earlier start. */
  readonly config?: unknown;
  /** Programs that lead to ours by exec(2), such as nsenter(1): the pid stays the same. */
  readonly wordsBefore?: readonly string[];
  /** Gives the child a channel for messages and handles. */
  readonly hasChannel?: boolean;
  /** Lives on after this process; otherwise a signal to our process group reaches it too. */
  readonly isDetached: boolean;
}

export interface StartedProcess extends ClusterProcess {
  readonly child: ChildProcess;
  /** What its ready line says. @throws OperationError process.died, timeout; with the end of its log */
  readonly ready: () => Promise<Readonly<Record<string, unknown>>>;
}

export async function startProcess(options: StartOptions): Promise<StartedProcess> {
  const { role, name, place, config } = options;
  await makePrivateFolder(place.folder);
  if (config !== undefined) await writePrivate(place.configFile, `${JSON.stringify(config, null, 2)}\n`);
  const readyFile = join(place.folder, 'ready');
  const out = openSync(readyFile, 'w', 0o600);
  const log = openSync(place.logFile, 'a', 0o600);
  const logStart = (await stat(place.logFile)).size;
  const own = [process.execPath, programs[role], '--config', place.configFile];
  const [command = '', ...args] = [...(options.wordsBefore ?? []), ...own];
  const child = spawn(command, args, {
    cwd: workspaceRoot,
    env: { ...programEnvironment, ...process.env },
    detached: options.isDetached,
    stdio: ['ignore', out, log, ...(options.hasChannel === true ? (['ipc'] as const) : [])],
  });
  closeSync(out);
  closeSync(log);
  let death: string | null = null;
  child.once('error', (error) => {
    death = error.message;
  });
  child.once('exit', (code, signal) => {
    death = signal === null ? `exit code ${code}` : `${signal}`;
  });
  if (options.isDetached) child.unref();
  const known = { role, name, configFile: place.configFile, logFile: place.logFile };
  if (child.pid === undefined) {
    throw new OperationError({
      code: 'process.died',
      message: `${name} could not be started: ${death ?? ''}`,
    });
  }
  return {
    ...known,
    child,
    pid: child.pid,
    ready: () => waitForReady({ ...known, readyFile, logStart, deathOf: () => death }),
  };
}

interface Waiting {
  readonly name: string;
  readonly logFile: string;
  readonly readyFile: string;
  readonly logStart: number;
  readonly deathOf: () => string | null;
}

async function waitForReady(waiting: Waiting): Promise<Readonly<Record<string, unknown>>> {
  const deadline = performance.now() + readyDeadlineMs;
  for (;;) {
    const death = waiting.deathOf();
    const line = /^(.*)\n/.exec(await readFile(waiting.readyFile, 'utf8'))?.[1];
    if (line !== undefined && death === null) return parseReady(waiting.name, line);
    if (death !== null) {
      throw new OperationError({
        code: 'process.died',
        message: `${waiting.name} did not start (${death}): ${await logTail(waiting)}`,
        details: { process: waiting.name },
      });
    }
    if (performance.now() > deadline) {
      throw new OperationError({
        code: 'timeout',
        message: `${waiting.name} was not ready within ${readyDeadlineMs / 1000} s: ${await logTail(waiting)}`,
        details: { process: waiting.name },
      });
    }
    await sleep(pollMs);
  }
}

function parseReady(name: string, line: string): Readonly<Record<string, unknown>> {
  try {
    const value: unknown = JSON.parse(line);
    if (typeof value === 'object' && value !== null && (value as { ready?: unknown }).ready === true) {
      return value as Readonly<Record<string, unknown>>;
    }
  } catch {
    // Told below.
  }
  throw new OperationError({
    code: 'process.died',
    message: `${name} did not say that it is ready: ${line.slice(0, 200)}`,
  });
}

async function logTail({ logFile, logStart }: Waiting): Promise<string> {
  const log = await readFile(logFile);
  const tail = log
    .subarray(Math.max(logStart, log.length - logTailBytes))
    .toString()
    .trim();
  return tail === '' ? `its log ${logFile} says nothing` : `${tail}\n(log: ${logFile})`;
}

/** A number from a ready line, such as a port. */
export function readyNumber(name: string, ready: Readonly<Record<string, unknown>>, key: string): number {
  const value = ready[key];
  if (typeof value === 'number') return value;
  throw new OperationError({
    code: 'process.died',
    message: `${name} did not say its ${key} when it was ready`,
  });
}

/** True while the process runs and is the one that we started. */
export async function isRunning(process: Pick<ClusterProcess, 'pid' | 'configFile'>): Promise<boolean> {
  try {
    const commandLine = await readFile(`/proc/${process.pid}/cmdline`, 'utf8');
    if (!commandLine.split('\0').includes(process.configFile)) return false;
    const state = /^State:\s+(\S)/m.exec(await readFile(`/proc/${process.pid}/status`, 'utf8'))?.[1];
    return state !== 'Z' && state !== 'X';
  } catch {
    return false;
  }
}

/** Ends processes together: SIGTERM, and SIGKILL for those that do not obey. Returns those that had to be killed. */
export async function stopProcesses(
  processes: readonly ClusterProcess[],
  closeDeadlineMs = closeDeadlineMsDefault,
): Promise<readonly ClusterProcess[]> {
  await signalAll(processes, 'SIGTERM');
  const stubborn = await stillRunningAfter(processes, closeDeadlineMs);
  await signalAll(stubborn, 'SIGKILL');
  const left = await stillRunningAfter(stubborn, killDeadlineMs);
  if (left.length > 0) {
    const names = left.map(({ name, pid }) => `${name} (pid ${pid})`).join(', ');
    throw new OperationError({ code: 'timeout', message: `${names} did not end although killed` });
  }
  return stubborn;
}

async function signalAll(processes: readonly ClusterProcess[], signal: NodeJS.Signals): Promise<void> {
  for (const one of processes) {
    if (!(await isRunning(one))) continue;
    try {
      process.kill(one.pid, signal);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
    }
  }
}

async function stillRunningAfter(
  processes: readonly ClusterProcess[],
  deadlineMs: number,
): Promise<readonly ClusterProcess[]> {
  const deadline = performance.now() + deadlineMs;
  let running = processes;
  for (;;) {
    const states = await Promise.all(running.map(isRunning));
    running = running.filter((_, index) => states[index]);
    if (running.length === 0 || performance.now() > deadline) return running;
    await sleep(pollMs);
  }
}
