/**
 * The processes of a cluster that run: those on record, and those that a `skein up` had just started when it was killed
 * before it could write them down. Both are known by the configuration file in their command line.
 */
import { readdir, readFile } from 'node:fs/promises';
import { basename, dirname, resolve } from 'node:path';
import { placeProcess } from './configuration.ts';
import { isRunning, roleOf } from './process.ts';
import type { ClusterFile, ClusterProcess } from './state-folder.ts';

export async function runningProcesses(
  stateFolder: string,
  file: ClusterFile | null,
): Promise<readonly ClusterProcess[]> {
  const recorded = file?.processes ?? [];
  const states = await Promise.all(recorded.map(isRunning));
  const running = recorded.filter((_, index) => states[index]);
  const unrecorded = (await startedIn(stateFolder)).filter(({ pid }) =>
    running.every((one) => one.pid !== pid),
  );
  return [...running, ...unrecorded];
}

/** Every process of the machine that has a configuration file of this folder; those of other users are not ours. */
async function startedIn(stateFolder: string): Promise<readonly ClusterProcess[]> {
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name)).map(Number);
  const found = await Promise.all(pids.map((pid) => describe(pid, resolve(stateFolder))));
  return found.filter((one) => one !== null);
}

async function describe(pid: number, stateFolder: string): Promise<ClusterProcess | null> {
  const words = await readFile(`/proc/${pid}/cmdline`, 'utf8').then(
    (text) => text.split('\0'),
    (): string[] => [],
  );
  const configFile = words[words.indexOf('--config') + 1];
  const role = words.map(roleOf).find((found) => found !== null);
  if (configFile === undefined || role === undefined) return null;
  const name = basename(dirname(configFile));
  const place = placeProcess(stateFolder, name);
  if (place.configFile !== configFile) return null;
  const one = { role, name, pid, configFile, logFile: place.logFile };
  return (await isRunning(one)) ? one : null;
}
