/**
 * Where a cluster's files are on this machine: configurations, tokens, logs, and `cluster.json`, by which later commands
 * find the cluster. All of it is readable by its owner alone. Source: XDG Base Directory Specification.
 */
import { mkdir, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join, resolve } from 'node:path';
import { type JoinKind, Name, OperationError } from '@skein/shared';

/** `$SKEIN_STATE`, else `$XDG_STATE_HOME/skein`, else `~/.local/state/skein`; an empty variable counts as unset. */
export function defaultStateFolder(environment: NodeJS.ProcessEnv = process.env): string {
  const own = environment.SKEIN_STATE;
  if (own !== undefined && own !== '') return resolve(own);
  const xdg = environment.XDG_STATE_HOME;
  if (xdg !== undefined && xdg !== '') return join(resolve(xdg), 'skein');
  return join(homedir(), '.local', 'state', 'skein');
}

/** The gateway holds the networks of a cluster in namespaces; a cluster on loopback has none. */
export type ProcessRole = 'coordinator' | 'storage' | 'agent' | 'gateway';

/** What the processes of a cluster run on: the machine's loopback, or a network namespace each. */
export const bedKinds = ['processes', 'namespaces'] as const;
export type BedKind = (typeof bedKinds)[number];

/** A process that `skein` started. */
export interface ClusterProcess {
  readonly role: ProcessRole;
  /** A host's name; `coordinator`, `storage`, `gateway`. */
  readonly name: string;
  readonly pid: number;
  /** Stands in its command line: tells it from a stranger who got its pid later. */
  readonly configFile: string;
  readonly logFile: string;
}

/** What `cluster.json` holds. */
export interface ClusterFile {
  readonly formatVersion: typeof formatVersion;
  readonly cluster: string;
  readonly bed: BedKind;
  /** Null until the coordinator is ready. */
  readonly apiUrl: string | null;
  readonly apiTokenFile: string;
  readonly startedAtMs: number;
  readonly processes: readonly ClusterProcess[];
}

export const formatVersion = 1;

export function clusterFilePath(stateFolder: string): string {
  return join(stateFolder, 'cluster.json');
}

export function noCluster(stateFolder: string): OperationError {
  return new OperationError({
    code: 'cluster.not-running',
    message:
      `there is no cluster in ${stateFolder}; start one with \`skein up\` or \`docker compose up --wait\`, ` +
      'or name another one with SKEIN_STATE, SKEIN_PROJECT or SKEIN_URL',
  });
}

/** Null when there is no cluster in this folder. @throws OperationError store.corrupt */
export async function readClusterFile(stateFolder: string): Promise<ClusterFile | null> {
  const path = clusterFilePath(stateFolder);
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    if (code === 'ENOENT' || code === 'ENOTDIR') return null;
    throw new OperationError({
      code: 'config.unreadable',
      message: `cannot read ${path}: ${(error as Error).message}`,
      cause: error,
    });
  }
  const parsed = parseClusterFile(text);
  if (parsed !== null) return parsed;
  throw new OperationError({
    code: 'store.corrupt',
    message: `${path} is damaged; end the processes that it named by hand and remove it`,
  });
}

/** As a whole or not at all. */
export async function writeClusterFile(stateFolder: string, file: ClusterFile): Promise<void> {
  await writePrivate(clusterFilePath(stateFolder), `${JSON.stringify(file, null, 2)}\n`);
}

/** @throws OperationError config.unreadable */
export async function makePrivateFolder(path: string): Promise<void> {
  try {
    await mkdir(path, { recursive: true, mode: 0o700 });
  } catch (cause) {
    const message = `cannot make the folder ${path} (${(cause as NodeJS.ErrnoException).code ?? cause}); name another one with --state or SKEIN_STATE`;
    throw new OperationError({ code: 'config.unreadable', message, cause });
  }
}

/** Replaces a file as a whole; mode 0600. */
export async function writePrivate(path: string, text: string): Promise<void> {
  const unfinished = `${path}.${process.pid}.partial`;
  await writeFile(unfinished, text, { mode: 0o600 });
  await rename(unfinished, path);
}

/** All that a cluster of ours keeps in its folder, and nothing else that may be there. */
export async function removeClusterFiles(stateFolder: string): Promise<void> {
  for (const name of await readdir(stateFolder).catch(() => [])) {
    const folder = join(stateFolder, name);
    // A program's: see placeProcess.
    const isOurs = Name.safeParse(name).success && (await isFile(join(folder, 'config.json')));
    if (isOurs) await rm(folder, { recursive: true, force: true });
  }
  const joinTokens = (['agent', 'storage'] as const).map((kind) => joinTokenFile(stateFolder, kind));
  for (const token of [...joinTokens, apiTokenFile(stateFolder), metricsTokenFile(stateFolder)])
    await rm(token, { force: true });
}

function isFile(path: string): Promise<boolean> {
  return stat(path).then(
    (found) => found.isFile(),
    () => false,
  );
}

/** The coordinator puts it there; a program of that kind joins by it. */
export function joinTokenFile(stateFolder: string, kind: JoinKind): string {
  return join(stateFolder, `join-${kind}.token`);
}

export function apiTokenFile(stateFolder: string): string {
  return join(stateFolder, 'api.token');
}

/** Gives the right to read metrics. */
export function metricsTokenFile(stateFolder: string): string {
  return join(stateFolder, 'metrics.token');
}

function parseClusterFile(text: string): ClusterFile | null {
  try {
    // Files of before there was a choice do not name their bed.
    const value: ClusterFile = Object.assign({ bed: 'processes' }, JSON.parse(text));
    const isSound =
      value.formatVersion === formatVersion &&
      typeof value.cluster === 'string' &&
      bedKinds.includes(value.bed) &&
      (value.apiUrl === null || typeof value.apiUrl === 'string') &&
      typeof value.apiTokenFile === 'string' &&
      Array.isArray(value.processes) &&
      value.processes.every(isProcess);
    return isSound ? value : null;
  } catch {
    return null;
  }
}

function isProcess(value: ClusterProcess): boolean {
  return (
    Number.isInteger(value.pid) &&
    value.pid > 1 &&
    typeof value.role === 'string' &&
    typeof value.name === 'string' &&
    typeof value.configFile === 'string' &&
    value.configFile.length > 0 &&
    typeof value.logFile === 'string'
  );
}
