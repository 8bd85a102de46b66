/** One of our programs as a real process: started with a configuration file, ended by its pid and by nothing else. */
import { type ChildProcess, spawn } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { programEnvironment } from '@skein/shared';

const root = resolve(import.meta.dirname, '../..');
const readyDeadlineMs = 30_000;

export interface Program {
  readonly name: string;
  readonly pid: number;
  /** What it printed when it was ready. */
  readonly ready: Readonly<Record<string, unknown>>;
  /** Its log so far. */
  log(): string;
  kill(signal?: NodeJS.Signals): void;
  /** Resolves with exit code or signal. */
  readonly ended: Promise<number | NodeJS.Signals>;
}

/** Starts `packages/<packageName>/src/main.ts` and waits for its ready line. */
export async function startProgram(
  name: string,
  packageName: string,
  folder: string,
  config: unknown,
): Promise<Program> {
  const { program, ready } = spawnProgram(name, packageName, folder, config);
  return { ...program, ready: await ready };
}

/**
 * As startProgram, without waiting: an agent is ready only once a coordinator accepts it. `build` is the folder of a
 * checkout; this one unless given.
 */
export function spawnProgram(
  name: string,
  packageName: string,
  folder: string,
  config: unknown,
  build = root,
): { program: Omit<Program, 'ready'>; ready: Promise<Readonly<Record<string, unknown>>> } {
  const file = join(folder, `${name}.json`);
  writeFileSync(file, JSON.stringify(config));
  const main = join(build, 'packages', packageName, 'src/main.ts');
  const child = spawn(process.execPath, [main, '--config', file], {
    env: { ...programEnvironment, ...process.env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let log = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    log = (log + text).slice(-1_000_000);
  });
  const killOnExit = (): void => void child.kill('SIGKILL');
  process.once('exit', killOnExit);
  const ended = new Promise<number | NodeJS.Signals>((done) => {
    child.once('exit', (code, signal) => {
      process.off('exit', killOnExit);
      done(signal ?? code ?? -1);
    });
  });
  const program = {
    name,
    pid: child.pid ?? 0,
    log: () => log,
    kill: (signal: NodeJS.Signals = 'SIGKILL') => void child.kill(signal),
    ended,
  };
  return { program, ready: readyLine(child, name, () => log) };
}

function readyLine(
  child: ChildProcess,
  name: string,
  log: () => string,
): Promise<Readonly<Record<string, unknown>>> {
  return new Promise((done, fail) => {
    let text = '';
    const timer = setTimeout(
      () => fail(new Error(`${name} is not ready in time:\n${log()}`)),
      readyDeadlineMs,
    );
    child.once('exit', (code, signal) => {
      clearTimeout(timer);
      fail(new Error(`${name} ended (${signal ?? code}):\n${log()}`));
    });
    child.stdout?.setEncoding('utf8').on('data', (chunk: string) => {
      text += chunk;
      const end = text.indexOf('\n');
      if (end < 0) return;
      clearTimeout(timer);
      done(JSON.parse(text.slice(0, end)) as Record<string, unknown>);
    });
  });
}
