import { mkdtemp, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ensureTokenFile } from '@skein/transport';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { addressesOf } from './addresses.ts';
import { type ClusterPlan, lanSegment, placeProcess, storageConfig } from './configuration.ts';
import { isRunning, readyNumber, type StartedProcess, startProcess, stopProcesses } from './process.ts';
import { runningProcesses } from './running-processes.ts';
import { metricsTokenFile } from './state-folder.ts';

let folder = '';
const started: StartedProcess[] = [];

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'skein-process-'));
  await ensureTokenFile(metricsTokenFile(folder));
});

afterEach(async () => {
  await stopProcesses(started.splice(0));
  await rm(folder, { recursive: true, force: true });
});

function plan(): ClusterPlan {
  return {
    cluster: 'test',
    stateFolder: folder,
    addresses: addressesOf(19, 1),
    hostNames: ['h1'],
    hostMemoryMib: 512,
    imageFolder: folder,
    segments: [lanSegment],
    isInsecure: true,
  };
}

async function start(name: string, port: number): Promise<StartedProcess> {
  const config = { ...storageConfig(plan()), port, stateDirectory: join(folder, name, 'state') };
  const place = placeProcess(folder, name);
  const process = await startProcess({ role: 'storage', name, place, config, isDetached: false });
  started.push(process);
  return process;
}

describe('a process of a cluster', () => {
  it("is ready when it says so, runs until it is stopped, and its files are nobody else's", async () => {
    const storage = await start('storage', 0);
    const ready = await storage.ready();
    expect(ready).toMatchObject({ ready: true, pid: storage.pid });
    expect(await isRunning(storage)).toBe(true);
    expect((await stat(storage.configFile)).mode & 0o777).toBe(0o600);
    expect(await stopProcesses([storage])).toEqual([]);
    expect(await isRunning(storage)).toBe(false);
  });

  it('that dies at its start is told with its last words: a port in use', async () => {
    const first = await start('storage', 0);
    const port = readyNumber('storage', await first.ready(), 'port');
    const second = await start('other', port);
    await expect(second.ready()).rejects.toMatchObject({
      code: 'process.died',
      message: expect.stringMatching(new RegExp(`other did not start .*${port}`, 's')) as string,
    });
  });

  it('is killed when it does not obey, and told apart from a stranger with its pid', async () => {
    const storage = await start('storage', 0);
    await storage.ready();
    process.kill(storage.pid, 'SIGSTOP');
    expect(await isRunning({ pid: process.pid, configFile: storage.configFile })).toBe(false);
    await stopProcesses([{ ...storage, pid: process.pid }]);
    expect(await isRunning(storage)).toBe(true);
    expect((await stopProcesses([storage], 200)).map(({ name }) => name)).toEqual(['storage']);
    expect(await isRunning(storage)).toBe(false);
  });

  it('is found by its configuration file although nobody wrote its pid down', async () => {
    const storage = await start('storage', 0);
    await storage.ready();
    const { role, name, pid, configFile, logFile } = storage;
    expect(await runningProcesses(folder, null)).toEqual([{ role, name, pid, configFile, logFile }]);
    expect(await runningProcesses(`${folder}-other`, null)).toEqual([]);
  });
});
