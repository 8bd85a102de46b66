import { mkdir, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ensureTokenFile } from '@skein/transport';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { findCluster } from '../client/access.ts';
import {
  apiTokenFile,
  type ClusterFile,
  clusterFilePath,
  defaultStateFolder,
  formatVersion,
  readClusterFile,
  removeClusterFiles,
  writeClusterFile,
} from './state-folder.ts';

let folder = '';

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'skein-state-'));
});

afterEach(() => rm(folder, { recursive: true, force: true }));

function clusterFile(): ClusterFile {
  return {
    formatVersion,
    cluster: 'test',
    bed: 'processes',
    apiUrl: 'http://127.42.1.1:4711',
    apiTokenFile: apiTokenFile(folder),
    startedAtMs: 1,
    processes: [
      {
        role: 'agent',
        name: 'h1',
        pid: 4242,
        configFile: join(folder, 'h1/config.json'),
        logFile: join(folder, 'h1/log'),
      },
    ],
  };
}

describe('the state folder', () => {
  it.each([
    [{ SKEIN_STATE: '/a', XDG_STATE_HOME: '/b' }, '/a'],
    [{ SKEIN_STATE: '', XDG_STATE_HOME: '/b' }, '/b/skein'],
  ])('is chosen by the environment %o', (environment, path) => {
    expect(defaultStateFolder(environment)).toBe(path);
    expect(defaultStateFolder({})).toMatch(/\.local\/state\/skein$/);
  });

  it('keeps the cluster file as it was written, for its owner alone', async () => {
    expect(await readClusterFile(folder)).toBeNull();
    await writeClusterFile(folder, clusterFile());
    expect(await readClusterFile(folder)).toEqual(clusterFile());
    expect((await stat(clusterFilePath(folder))).mode & 0o777).toBe(0o600);
  });

  it.each(['', '{}', '[]', 'null', '{"formatVersion":1,"processes":[{"pid":1}]}'])(
    'refuses a damaged cluster file %j and names it',
    async (text) => {
      await writeFile(clusterFilePath(folder), text);
      await expect(readClusterFile(folder)).rejects.toMatchObject({
        code: 'store.corrupt',
        message: expect.stringContaining(clusterFilePath(folder)) as string,
      });
    },
  );

  it('is emptied of what the cluster made, and of nothing else', async () => {
    const foreign = join(folder, 'mine', 'text');
    await mkdir(join(folder, 'mine'));
    await writeFile(foreign, 'x');
    await mkdir(join(folder, 'h1'));
    await writeFile(join(folder, 'h1', 'config.json'), '{}');
    await ensureTokenFile(apiTokenFile(folder));
    await removeClusterFiles(folder);
    expect(await readFile(foreign, 'utf8')).toBe('x');
    await expect(stat(join(folder, 'h1'))).rejects.toThrow(/ENOENT/);
    await expect(stat(apiTokenFile(folder))).rejects.toThrow(/ENOENT/);
  });
});

describe('finding the cluster', () => {
  it('takes SKEIN_URL before the state folder, and an explicit state folder before both', async () => {
    await writeClusterFile(folder, clusterFile());
    await ensureTokenFile(apiTokenFile(folder));
    const environment = { SKEIN_URL: 'http://127.9.9.9:1/', SKEIN_TOKEN_FILE: apiTokenFile(folder) };
    expect((await findCluster(undefined, environment)).url).toBe('http://127.9.9.9:1');
    expect((await findCluster(folder, environment)).url).toBe('http://127.42.1.1:4711');
    expect((await findCluster(undefined, { SKEIN_STATE: folder })).url).toBe('http://127.42.1.1:4711');
  });

  it('refuses what is no URL, and a URL without a token', async () => {
    await expect(findCluster(undefined, { SKEIN_URL: 'h1:80', SKEIN_TOKEN_FILE: 'x' })).rejects.toMatchObject(
      {
        code: 'request.invalid',
      },
    );
    await expect(findCluster(undefined, { SKEIN_URL: 'http://h1' })).rejects.toThrow(/SKEIN_TOKEN_FILE/);
  });
});
