/**
 * The cluster that `docker compose up` makes, under a project, subnets and ports of its own, so that it meets neither a
 * user's cluster nor another run. Testcontainers starts it, waits for its health checks and looks into its containers;
 * what people type to break it, the tests type.
 */
import { execFile } from 'node:child_process';
import { resolve } from 'node:path';
import { promisify } from 'node:util';
import {
  DockerComposeEnvironment,
  type StartedDockerComposeEnvironment,
  type StartedTestContainer,
  Wait,
} from 'testcontainers';
import { SkeinCluster } from '../support/skein-cluster.ts';

const run = promisify(execFile);
const root = resolve(import.meta.dirname, '../..');
const networks = ['management', 'migration', 'ft-logging', 'storage-a', 'storage-b', 'guest-a', 'guest-b'];

export const project = 'skein-test';

/** Prometheus from Debian's packages: no registry is needed. */
export const prometheusImage = 'skein-test-prometheus:local';

/** What a user would set to have a second cluster beside the first. */
export const settings: Readonly<Record<string, string>> = {
  SKEIN_PROJECT: project,
  SKEIN_API_PORT: '7200',
  SKEIN_CONSOLE_PORT: '7202',
  SKEIN_GRAFANA_PORT: '7203',
  SKEIN_PROMETHEUS_IMAGE: prometheusImage,
  ...Object.fromEntries(
    networks.map((network, index) => [
      `SKEIN_SUBNET_${network.toUpperCase().replace('-', '_')}`,
      `10.91.${index + 1}.0/24`,
    ]),
  ),
};

/** On containers that a test puts beside the cluster: they go first, for they hold its networks. */
export const helperLabel = 'skein.test';

const startDeadlineMs = 800_000;
let started: StartedDockerComposeEnvironment | null = null;

/** Built, started, and healthy; if that fails nothing of it stays. */
export async function upCluster(): Promise<void> {
  await downCluster(); // Of a run that was killed.
  started = await new DockerComposeEnvironment(root, 'compose.yaml')
    .withProjectName(project)
    .withEnvironment({ ...settings })
    .withBuild()
    .withDefaultWaitStrategy(Wait.forHealthCheck())
    .withStartupTimeout(startDeadlineMs)
    .up();
}

/** Also of a cluster that somebody else started under this project. */
export async function downCluster(): Promise<void> {
  started = null;
  const helpers = await docker('ps', '--all', '--quiet', '--filter', `label=${helperLabel}=${project}`);
  const ids = helpers.split('\n').filter((id) => id !== '');
  if (ids.length > 0) await docker('rm', '--force', ...ids);
  await compose('down', '--volumes', '--remove-orphans', '--timeout', '5');
}

/** Of a program: a host's name, `coordinator`, `storage`. */
export function container(program: string): StartedTestContainer {
  if (started === null) throw new Error('there is no cluster');
  return started.getContainer(`${program}-1`);
}

/** Runs a command inside; answers what it printed. */
export async function inside(program: string, ...command: string[]): Promise<string> {
  const { exitCode, output } = await container(program).exec(command);
  if (exitCode === 0) return output;
  throw new Error(`${command.join(' ')} in ${program} ended with ${exitCode}: ${output}`);
}

async function command(program: string, args: readonly string[], timeoutMs: number): Promise<string> {
  const env = { ...process.env, ...settings };
  const options = { cwd: root, env, timeout: timeoutMs, maxBuffer: 64 << 20 };
  return (await run(program, [...args], options)).stdout;
}

export function docker(...args: string[]): Promise<string> {
  return command('docker', args, 60_000);
}

export function compose(...args: string[]): Promise<string> {
  return command('docker', ['compose', '--project-name', project, ...args], 600_000);
}

/** As `skein` on the machine itself has it, which finds it by its project. */
export const cluster = new SkeinCluster(settings);
export const { hosts, vms, events } = cluster;
export const skein = (...words: string[]): Promise<string> => cluster.skein(...words);

/** `h1` to `skein-test-h1-1`. */
export const containerOf = (program: string): string => `${project}-${program}-1`;

export interface Ended {
  readonly exitCode: number;
  /** Both of its outputs. */
  readonly said: string;
}

/** `docker compose up --wait` with other settings or further compose files, typed as people type it; it may fail. */
export async function typedUp(others: Readonly<Record<string, string>>, ...files: string[]): Promise<Ended> {
  const chosen = files.flatMap((file) => ['--file', file]);
  const words = ['compose', '--project-name', project, '--progress', 'plain', ...chosen, 'up', '--wait'];
  return await ended('docker', words, others, startDeadlineMs);
}

/** `skein doctor --for containers`, as JSON; it may say that something is missing. */
export async function doctor(others: Readonly<Record<string, string>> = {}): Promise<Ended> {
  const words = ['packages/cli/src/main.ts', 'doctor', '--for', 'containers', '--output', 'json'];
  return await ended(process.execPath, words, others, 60_000);
}

async function ended(
  program: string,
  words: readonly string[],
  others: Readonly<Record<string, string>>,
  timeoutMs: number,
): Promise<Ended> {
  const env = { ...process.env, ...settings, ...others };
  try {
    const options = { cwd: root, env, timeout: timeoutMs, maxBuffer: 64 << 20 };
    const { stdout, stderr } = await run(program, [...words], options);
    return { exitCode: 0, said: stdout + stderr };
  } catch (error) {
    const { code, stdout, stderr } = error as { code?: unknown; stdout?: string; stderr?: string };
    if (typeof code !== 'number') throw error;
    return { exitCode: code, said: `${stdout ?? ''}${stderr ?? ''}` };
  }
}

/** What there is of the project: containers, networks and volumes by name. */
export async function leftOvers(): Promise<string[]> {
  const filter = `label=com.docker.compose.project=${project}`;
  const listed = await Promise.all([
    docker('ps', '--all', '--filter', filter, '--format', '{{.Names}}'),
    docker('network', 'ls', '--filter', filter, '--format', '{{.Name}}'),
    docker('volume', 'ls', '--filter', filter, '--format', '{{.Name}}'),
  ]);
  return listed.flatMap((text) => text.split('\n').filter((line) => line !== ''));
}
