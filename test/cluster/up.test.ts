/** `skein up` with a cluster file, and with what cannot work: it says what and why, and leaves no process behind. */
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import type { VmView } from '@skein/shared';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

const main = resolve(import.meta.dirname, '../../packages/cli/src/main.ts');
let folder: string;
let state: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'skein-up-'));
  state = join(folder, 'state');
});
afterEach(async () => {
  if (existsSync(join(state, 'cluster.json'))) await skein('down');
  rmSync(folder, { recursive: true });
});

interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

const skein = (...args: string[]): Promise<Ended> => skeinWith({}, ...args);

async function skeinWith(variables: NodeJS.ProcessEnv, ...args: string[]): Promise<Ended> {
  const env = { ...process.env, SKEIN_STATE: state, ...variables };
  const child = spawn(process.execPath, [main, ...args], { env });
  let [stdout, stderr] = ['', ''];
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    stdout += text;
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text;
  });
  const [code] = (await once(child, 'close')) as [number | null];
  return { code, stdout, stderr };
}

function clusterFile(text: string): string {
  const path = join(folder, 'cluster.yaml');
  writeFileSync(path, text);
  return path;
}

/** Whose command line names the state folder. */
function processesLeft(): string[] {
  return readdirSync('/proc').filter((pid) => {
    try {
      return /^\d+$/.test(pid) && readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes(`${state}/`);
    } catch {
      return false;
    }
  });
}

function expectNothingLeft(): void {
  expect(processesLeft()).toEqual([]);
  expect(existsSync(join(state, 'cluster.json'))).toBe(false);
}

describe('skein up with a cluster file', () => {
  it('is over when its guests have booted', async () => {
    const file = clusterFile(
      'vms:\n  - name: web1\n    memoryMib: 96\n    nics: [{ segment: lan, address: 10.77.0.11/24 }]\n',
    );
    const { code, stderr } = await skein('up', '--hosts', '1', '--host-mhz', '500', '--file', file);
    expect(stderr).toMatch(/^0 of 1 guests of the cluster file have booted$/m);
    expect(code).toBe(0);
    const vms = JSON.parse((await skein('get', 'vm', '--output', 'json')).stdout) as VmView[];
    expect(vms).toMatchObject([{ name: 'web1', state: 'running', readyMs: expect.any(Number) as number }]);
  });

  it.each([
    [
      'an unknown key',
      'vms:\n  - name: web1\n    memory: 1g\n',
      /yaml:3:5: vms\.0\.memory: there is no such key; keys/,
    ],
    [
      'too much memory',
      'vms:\n  - { name: a, memoryMib: 600 }\n',
      /yaml:2:27: vms\.0\.memoryMib: 600 MiB are more than any host has: at most 512/,
    ],
    [
      'too little memory',
      'vms:\n  - { name: a, memoryMib: 64 }\n',
      /yaml:2:27: .*its image does not boot in 64 MiB: at least/,
    ],
  ])('refuses %s by line and column, and leaves nothing running', async (_, text, words) => {
    const { code, stderr } = await skein('up', '--host-memory', '512', '--file', clusterFile(text));
    expect(code).toBe(1);
    expect(stderr).toMatch(words);
    expectNothingLeft();
  });

  it('needs a compiler for an image that has to be compiled, says which packages bring it, and leaves nothing running', async () => {
    const file = clusterFile('vms:\n  - { name: a, image: small }\n');
    const lacking = { PATH: join(folder, 'empty'), SKEIN_CACHE: join(folder, 'cache') };
    const { code, stderr } = await skeinWith(lacking, 'up', '--file', file);
    expect(code).toBe(1);
    expect(stderr).toMatch(
      /^skein: guests of \S+cluster\.yaml have the image small: .*: apt-get install gcc-riscv64-/m,
    );
    expectNothingLeft();
  });

  it('names the file that it cannot read', async () => {
    const { code, stderr } = await skein('up', '--file', join(folder, 'absent.yaml'));
    expect(code).toBe(1);
    expect(stderr).toMatch(/cannot read the cluster file .*absent\.yaml/);
    expectNothingLeft();
  });
});

describe('skein up', () => {
  it('says which port another program has, and leaves nothing running', async () => {
    // As `up` chooses its range of loopback addresses.
    const number = 20 + (createHash('sha256').update(state).digest().readUInt16BE(0) % 231);
    const server = createServer();
    await new Promise<void>((done) => server.listen(7100, `127.${number}.1.1`, done));
    try {
      const { code, stderr } = await skein('up', '--hosts', '1');
      expect(code).toBe(1);
      expect(stderr).toMatch(
        /coordinator did not start .*port 7100 on 127\.\d+\.1\.1 is in use by another program/,
      );
      expectNothingLeft();
    } finally {
      server.close();
    }
  });

  it('names a token file that was damaged since the last time, and leaves nothing running', async () => {
    await skein('up', '--hosts', '1', '--host-mhz', '500');
    await skein('down');
    const token = join(state, 'api.token');
    writeFileSync(token, 'no token\n');
    const { code, stderr } = await skein('up', '--hosts', '1', '--host-mhz', '500');
    expect(code).toBe(1);
    expect(stderr).toContain(`the token file ${token} must hold 64 hexadecimal digits`);
    expectNothingLeft();
  });
});
