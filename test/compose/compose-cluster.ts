/**
 * The cluster that `docker compose up` makes, under a project, subnets and ports of its own, so that it meets neither a
 * user's cluster nor another run. Everything goes through the commands that people type.
 */
import { execFile } from 'node:child_process';
import { resolve } from 'node:path';
import { promisify } from 'node:util';
import type { ClusterEvent, HostView, VmView } from '@skein/shared';

const run = promisify(execFile);
const root = resolve(import.meta.dirname, '../..');
const networks = ['management', 'migration', 'ft-logging', 'storage-a', 'storage-b', 'guest-a', 'guest-b'];

export const project = 'skein-test';

const environment = {
  ...process.env,
  SKEIN_PROJECT: project,
  SKEIN_API_PORT: '7200',
  SKEIN_CONSOLE_PORT: '7202',
  ...Object.fromEntries(
    networks.map((network, index) => [
      `SKEIN_SUBNET_${network.toUpperCase().replace('-', '_')}`,
      `10.91.${index + 1}.0/24`,
    ]),
  ),
};

async function command(program: string, args: readonly string[], timeoutMs: number): Promise<string> {
  const options = { cwd: root, env: environment, timeout: timeoutMs, maxBuffer: 64 << 20 };
  return (await run(program, [...args], options)).stdout;
}

export function docker(...args: string[]): Promise<string> {
  return command('docker', args, 60_000);
}

export function compose(...args: string[]): Promise<string> {
  return command('docker', ['compose', '--project-name', project, ...args], 600_000);
}

/** `skein` on the machine itself, which finds the cluster by its project. */
export function skein(...args: string[]): Promise<string> {
  return command(process.execPath, ['packages/cli/src/main.ts', ...args], 120_000);
}

async function list<T>(kind: string): Promise<T[]> {
  return JSON.parse(await skein('get', kind, '--output', 'json')) as T[];
}

export const hosts = (): Promise<HostView[]> => list('host');
export const vms = (): Promise<VmView[]> => list('vm');
export const events = (): Promise<ClusterEvent[]> => list('event');

/** `h1` to `skein-test-h1-1`. */
export const containerOf = (program: string): string => `${project}-${program}-1`;

/** Looks again until `condition` holds. */
export async function eventually<T>(
  what: string,
  look: () => Promise<T | false>,
  deadlineMs = 60_000,
): Promise<T> {
  const endsAt = performance.now() + deadlineMs;
  let last: unknown = null;
  for (;;) {
    const found = await look().catch((error: unknown) => {
      last = error;
      return false as const;
    });
    if (found !== false) return found;
    if (performance.now() > endsAt) throw new Error(`${what}: not within ${deadlineMs} ms`, { cause: last });
    await new Promise((done) => setTimeout(done, 200));
  }
}
