import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { CoordinatorBed, someImage } from './coordinator-bed.ts';

const main = resolve(import.meta.dirname, '../../packages/coordinator/src/main.ts');

let bed: CoordinatorBed;
beforeEach(async () => {
  bed = await CoordinatorBed.start();
});
afterEach(() => bed.close());

/** Runs one that must not come up; with exit code and what it said. */
async function run(
  config: unknown,
  args: readonly string[] = [],
): Promise<{ code: number | null; said: string }> {
  const file = join(bed.folder, 'other.json');
  writeFileSync(file, typeof config === 'string' ? config : JSON.stringify(config));
  const child = spawn(process.execPath, [main, '--config', file, ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const timer = setTimeout(() => child.kill('SIGKILL'), 20_000);
  let said = '';
  child.stderr.on('data', (text) => {
    said += text;
  });
  child.stdout.on('data', (text) => {
    said += `stdout: ${text}`;
  });
  const [code] = (await once(child, 'close')) as [number | null];
  clearTimeout(timer);
  return { code, said };
}

const elsewhere = () => ({ ...bed.config, stateDirectory: join(bed.folder, 'elsewhere') });

describe('the coordinator as a process', () => {
  it('says what it listens on, and leaves with 0 when it is asked to', async () => {
    expect(bed.coordinator.ready).toMatchObject({
      ready: true,
      pid: bed.coordinator.pid,
      apiPort: expect.any(Number),
      agentPort: expect.any(Number),
      clientPort: expect.any(Number),
    });
    bed.coordinator.kill('SIGTERM');
    expect(await bed.coordinator.ended).toBe(0);
  });

  it('names every problem of its configuration and exits with 2', async () => {
    const { storage: _storage, ...rest } = bed.config;
    const { code, said } = await run({
      ...rest,
      managementAddress: 'nowhere',
      apiPort: 99_999,
      colour: 'red',
    });
    expect(code).toBe(2);
    for (const word of ['managementAddress', 'apiPort', 'colour', 'storage']) expect(said).toContain(word);
    expect(await run('{"cluster":')).toMatchObject({ code: 2 });
  });

  it('refuses a cluster file by line and column before it has made anything, started or only checked', async () => {
    const clusterFile = join(bed.folder, 'cluster.yaml');
    const config = {
      ...elsewhere(),
      apiTokenFile: join(bed.folder, 'not-made'),
      imageDirectory: bed.folder,
      largestHost: { memoryMib: 1024 },
      clusterFile,
    };
    mkdirSync(join(bed.folder, someImage));
    writeFileSync(join(bed.folder, someImage, 'manifest.json'), '{"memoryMibMin":96}');
    writeFileSync(clusterFile, 'vms:\n  - { name: a, memoryMib: 2048 }\n  - { name: b, memoryMib: 64 }\n');
    for (const args of [[], ['--check']]) {
      const { code, said } = await run(config, args);
      expect(code).toBe(2);
      expect(said.trim().split('\n')).toEqual([
        `${clusterFile}:2:27: vms.0.memoryMib: 2048 MiB are more than any host has: at most 1024`,
        `${clusterFile}:3:27: vms.1.memoryMib: its image does not boot in 64 MiB: at least 96`,
      ]);
    }
    writeFileSync(clusterFile, 'vms:\n  - { name: a, memoryMib: 1024 }\n');
    expect(await run(config, ['--check'])).toEqual({ code: 0, said: '' });
    for (const path of [config.stateDirectory, config.apiTokenFile])
      expect(existsSync(path as string)).toBe(false);
  });

  it('will not use a token that others can read', async () => {
    const file = join(bed.folder, 'open-token');
    writeFileSync(file, 'a'.repeat(64));
    chmodSync(file, 0o644);
    const { code, said } = await run({ ...elsewhere(), apiTokenFile: file });
    expect(code).toBe(2);
    expect(said).toContain('chmod 600');
    expect(said).not.toContain('a'.repeat(64));
  });

  it('exits with 1 when a port is taken, and leaves nothing listening', async () => {
    const { code, said } = await run(elsewhere());
    expect(code).toBe(1);
    expect(said).toContain('in use');
    expect(said).not.toContain('stdout');
  });

  it('refuses to work beside another one on the same inventory', async () => {
    const { code, said } = await run({ ...bed.config, apiPort: 0, agentPort: 0, clientPort: 0 });
    expect(code).toBe(4);
    expect(said).toContain('another coordinator');
    expect((await bed.ask('GET', '/v1/cluster')).status).toBe(200);
  });

  it('exits with 1 over a damaged inventory, naming the file and the way back', async () => {
    bed.coordinator.kill('SIGTERM'); // A killed one leaves all of it in the write-ahead log, and is sound.
    await bed.coordinator.ended;
    const directory = join(bed.folder, 'coordinator');
    const file = join(directory, 'inventory.sqlite');
    writeFileSync(file, 'garbage '.repeat(1000));
    const { code, said } = await run(bed.config);
    expect(code).toBe(1);
    expect(said).toContain(file);
    expect(said).toContain('inventory.backup.sqlite');
    expect(readdirSync(directory)).toContain('inventory.backup.sqlite');
  });
});
