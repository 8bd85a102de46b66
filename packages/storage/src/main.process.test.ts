/** The storage service as its own process: what survives its death, and how it refuses to start. */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile, stat, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Authentication } from '@skein/transport';
import { CertificateAuthority } from '@skein/transport/authority';
import { type CertifiedName, readCredentials, writeCredentials } from '@skein/transport/certificates';
import { describe, expect, it } from 'vitest';
import { client, codeOf, freshBoot, freshVm, onEnd, stateDirectory } from './lease/service.fixture.ts';

const main = join(import.meta.dirname, 'main.ts');

interface Cluster {
  readonly directory: string;
  /** That host's certificate, from the cluster's authority. */
  readonly as: (host: string) => Authentication;
  readonly config: Record<string, unknown>;
}

async function cluster(more: Record<string, unknown> = {}): Promise<Cluster> {
  const directory = await stateDirectory();
  const authority = await CertificateAuthority.open(join(directory, 'authority'), 'test', Date.now());
  const certify = async (subject: CertifiedName, into: string): Promise<void> =>
    writeCredentials(into, await authority.ownCredentials(subject, { nowMs: Date.now(), lifeMs: 3_600_000 }));
  await certify({ kind: 'storage', name: 'storage' }, join(directory, 'state', 'credentials'));
  for (const name of ['h1', 'h2']) await certify({ kind: 'agent', name }, join(directory, name));
  const config = {
    stateDirectory: join(directory, 'state'),
    address: '127.0.0.1',
    coordinator: { address: '127.0.0.1' }, // Nobody is there: who has a certificate needs no coordinator to start.
    ...more,
  };
  const as = (host: string): Authentication => ({ kind: 'certificate', directory: join(directory, host) });
  return { directory, as, config };
}

interface Running {
  readonly child: ChildProcess;
  readonly output: { stdout: string; stderr: string };
  readonly exited: Promise<number | null>;
}

/** `limit` is in KiB, for each file that it writes. */
async function run({ directory, config }: Cluster, limit?: number): Promise<Running> {
  const path = join(directory, 'storage.json');
  await writeFile(path, JSON.stringify(config));
  const command: [string, ...string[]] =
    limit === undefined
      ? [process.execPath, main, '--config', path]
      : [
          'bash',
          '-c',
          'ulimit -S -f "$0" && exec "$@"',
          String(limit),
          process.execPath,
          main,
          '--config',
          path,
        ];
  const [program, ...args] = command;
  const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'] });
  onEnd(() => child.kill('SIGKILL'));
  const output = { stdout: '', stderr: '' };
  child.stdout?.on('data', (data: Buffer) => {
    output.stdout += data.toString();
  });
  child.stderr?.on('data', (data: Buffer) => {
    output.stderr += data.toString();
  });
  const exited = once(child, 'close').then(([code]) => code as number | null);
  return { child, output, exited };
}

async function start(made: Cluster, limit?: number): Promise<Running & { port: number }> {
  const running = await run(made, limit);
  const { child } = running;
  const line = await Promise.race([
    once(createInterface({ input: child.stdout ?? process.stdin }), 'line').then(([text]) => text as string),
    running.exited.then(() => {
      throw new Error(`the storage service did not start: ${running.output.stderr}`);
    }),
  ]);
  const ready = JSON.parse(line) as { ready: boolean; pid: number; port: number; address: string };
  expect(ready).toEqual({ ready: true, pid: child.pid, address: '127.0.0.1', port: ready.port });
  return { ...running, port: ready.port };
}

async function kill({ child, exited }: Running): Promise<void> {
  child.kill('SIGKILL');
  await exited;
}

describe('the storage service', () => {
  it('[LEASE-8] [LEASE-9] killed right after an answer has what it answered, and holds it', async () => {
    const made = await cluster({ timing: { vmLeaseTtlMs: 60_000 } }); // Nothing of this expires while it runs.
    const vm = freshVm();
    const boots = { h1: freshBoot(), h2: freshBoot() };
    let running = await start(made);
    const connect = (name: 'h1' | 'h2') =>
      client(running.port, name, { authentication: made.as(name), bootId: boots[name] });
    const acquired = await (await connect('h1')).acquire(vm, 0);
    await kill(running);
    expect(acquired.epoch).toBe(1);

    running = await start(made);
    const [h1, h2] = await Promise.all([connect('h1'), connect('h2')]);
    expect(await h2.read(vm)).toMatchObject({ owner: 'h1', epoch: 1 });
    expect(await codeOf(h2.acquire(vm, 1))).toBe('lease.held');
    expect(await h1.pass(vm, 1, 'h2')).toBe(2);
    await kill(running);

    running = await start(made);
    const [source, target] = await Promise.all([connect('h1'), connect('h2')]);
    expect(await source.read(vm)).toMatchObject({ owner: 'h2', epoch: 2 });
    expect(await codeOf(source.acquire(vm, 1))).toBe('lease.stale-epoch');
    expect(await codeOf(source.acquire(vm, 2))).toBe('lease.held');
    expect((await target.renew(vm, 2)).epoch).toBe(2);
  });

  it('[LEASE-8] killed amid many requests has every one that it answered', async () => {
    const made = await cluster();
    const bootId = freshBoot();
    const acknowledged = new Map<string, number>();
    for (let round = 0; round < 2; round++) {
      const running = await start(made);
      const h1 = await client(running.port, 'h1', { authentication: made.as('h1'), bootId });
      for (const [vm, epoch] of acknowledged) {
        const kept = (await h1.read(vm))?.epoch ?? 0;
        expect(kept, vm).toBeGreaterThanOrEqual(epoch);
        acknowledged.set(vm, kept);
      }
      const vms = [...acknowledged.keys(), ...Array.from({ length: 20 }, freshVm)];
      let answers = 0;
      const climb = async (vm: string): Promise<void> => {
        for (let epoch = acknowledged.get(vm) ?? 0; ; epoch++) {
          acknowledged.set(vm, (await h1.acquire(vm, epoch)).epoch);
          answers += 1;
          if (answers === 150 + 37 * round) running.child.kill('SIGKILL');
        }
      };
      const ends = await Promise.all(vms.map((vm) => codeOf(climb(vm))));
      expect(new Set(ends)).toEqual(new Set(['link.closed']));
      h1.close();
      await running.exited;
    }
  });

  it('[LEASE-8] refuses changes on a full disk with a stable code, renews on, and goes on when there is room', async () => {
    const made = await cluster();
    const bootId = freshBoot();
    const running = await start(made, 2);
    const h1 = await client(running.port, 'h1', { authentication: made.as('h1'), bootId });
    const granted: string[] = [];
    for (let count = 0; count < 100; count++) {
      const vm = freshVm();
      const code = await codeOf(h1.acquire(vm, 0));
      if (code === 'granted') granted.push(vm);
      else expect(code).toBe('lease.store-failed');
    }
    expect(granted.length).toBeGreaterThan(5);
    expect(granted.length).toBeLessThan(50);
    for (const vm of granted) expect((await h1.renew(vm, 1)).epoch).toBe(1);

    execFileSync('prlimit', ['--pid', String(running.child.pid), '--fsize=unlimited']);
    for (const vm of [freshVm(), freshVm()]) {
      await h1.acquire(vm, 0);
      granted.push(vm);
    }
    await kill(running);

    const again = await start(made);
    const reader = await client(again.port, 'h1', { authentication: made.as('h1'), bootId });
    expect((await reader.list()).map(({ vm }) => vm)).toEqual(granted.toSorted());
    expect((await reader.acquire(freshVm(), 0)).epoch).toBe(1);
  });

  it('leaves with 0 on SIGTERM, keeps its state to itself, and never says its key', async () => {
    const made = await cluster({ logLevel: 'trace' });
    const running = await start(made);
    const h1 = await client(running.port, 'h1', { authentication: made.as('h1') });
    await h1.acquire(freshVm(), 0);
    running.child.kill('SIGTERM');
    expect(await running.exited).toBe(0);
    const said = running.output.stdout + running.output.stderr;
    expect(said).toContain('granted');
    expect(said).not.toContain('PRIVATE KEY');
    const { key } = readCredentials(join(made.directory, 'state', 'credentials'));
    for (const line of key.split('\n').filter((text) => text.length > 0)) expect(said).not.toContain(line);
    expect((await stat(join(made.directory, 'state', 'credentials', 'credentials.json'))).mode & 0o777).toBe(
      0o600,
    );
    const log = join(made.directory, 'state', 'leases.log');
    expect((await stat(log)).mode & 0o777).toBe(0o600);
    expect(await readFile(log, 'utf8')).toContain('"owner":"h1"');
  });

  it('names all that is wrong with its configuration at once and leaves with 2', async () => {
    const running = await run(await cluster({ port: 70_000, adress: '127.0.0.1', timing: { marginMs: -1 } }));
    expect(await running.exited).toBe(2);
    for (const part of ['port', 'adress', 'marginMs']) expect(running.output.stderr).toContain(part);
    expect(running.output.stdout).toBe('');
  });

  it('says which port is in use and leaves with 1', async () => {
    const other = createServer();
    await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve));
    onEnd(() => new Promise((resolve) => other.close(resolve)));
    const { port } = other.address() as { port: number };
    const running = await run(await cluster({ port }));
    expect(await running.exited).toBe(1);
    expect(running.output.stderr).toContain(`port ${port} on 127.0.0.1 is in use`);
  });

  it('[LEASE-10] names a damaged log and leaves with 1; does the same beside another on its directory', async () => {
    const made = await cluster();
    const running = await start(made);
    const second = await run(made);
    expect(await second.exited).toBe(1);
    expect(second.output.stderr).toContain('another storage service works on');
    const h1 = await client(running.port, 'h1', { authentication: made.as('h1') });
    await h1.acquire(freshVm(), 0);
    await kill(running);

    const log = join(made.directory, 'state', 'leases.log');
    const text = await readFile(log, 'utf8');
    await writeFile(log, text.replace('"epoch":1', '"epoch":0'));
    const third = await run(made);
    expect(await third.exited).toBe(1);
    expect(third.output.stderr).toContain(`${log} is damaged at line 1`);
  });
});
