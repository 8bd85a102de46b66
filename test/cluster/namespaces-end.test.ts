/** How a cluster in namespaces ends, and what it needs to begin: nothing is left, and no right is asked for. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { holdersOf, namespacesOf, processesOf } from '../support/namespace-traces.ts';
import { SkeinCluster } from '../support/skein-cluster.ts';
import { until } from '../support/until.ts';

const root = resolve(import.meta.dirname, '../..');
/** Uid 0 needs this one to be itself in a user namespace; over networks it gives no power (user_namespaces(7)). */
const withoutPower = ['setpriv', '--inh-caps=-all', '--bounding-set=-all,+setfcap', '--'];

let folder = '';
let cluster: SkeinCluster;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'skein-end-'));
});
afterEach(async () => {
  await cluster.skein('down');
  rmSync(folder, { recursive: true, force: true });
});

function up(...wordsBefore: readonly string[]): ChildProcess {
  const own = [process.execPath, 'packages/cli/src/main.ts', 'up', '--bed', 'namespaces', '--hosts', '1'];
  const [program = '', ...args] = [...wordsBefore, ...own];
  return spawn(program, args, {
    cwd: root,
    env: cluster.environment,
    stdio: ['ignore', 'ignore', 'inherit'],
  });
}

/** Runs `skein down`, after which none of the cluster's processes is there, nor anyone in its namespaces. */
async function expectEnd(atLeast: number, seen: ReadonlySet<string> = new Set()): Promise<void> {
  const held = new Set([...seen, ...namespacesOf(folder)]);
  expect(held.size).toBeGreaterThanOrEqual(atLeast);
  await cluster.skein('down');
  expect(processesOf(folder)).toEqual([]);
  await until('nobody is in its namespaces', () => holdersOf(held).length === 0);
}

const recorded = (): number => {
  try {
    const file = JSON.parse(readFileSync(join(folder, 'cluster.json'), 'utf8')) as { processes: unknown[] };
    return file.processes.length;
  } catch {
    return 0;
  }
};

describe('a cluster in namespaces', () => {
  it.each([
    ['by whoever may make them', []],
    ['by one without any power over networks', process.getuid?.() === 0 ? withoutPower : []],
  ])('is made %s, is broken and shaped, and leaves nothing', async (_, wordsBefore) => {
    cluster = new SkeinCluster({ SKEIN_STATE: folder }, wordsBefore);
    const [code] = await once(up(...wordsBefore), 'exit');
    expect(code).toBe(0);
    expect((await cluster.hosts()).map(({ name, state }) => `${name} ${state}`)).toEqual(['h1 connected']);
    for (const { pid, commandLine } of processesOf(folder)) {
      if (commandLine.includes('gateway')) continue;
      const status = readFileSync(`/proc/${pid}/status`, 'utf8');
      expect(status).toMatch(/^CapBnd:\s+0000000000000002$/m); // CAP_DAC_OVERRIDE alone
      expect(status).toMatch(/^NoNewPrivs:\s+1$/m);
    }
    await cluster.skein('link', 'set', 'h1', 'migration', '--rate', '100mbit', '--loss', '1%');
    await cluster.skein('fault', 'cut', 'h1', 'guest-a');
    const shown = JSON.parse(await cluster.skein('link', 'show', 'h1', '--output', 'json')) as unknown;
    expect(shown).toEqual(
      expect.arrayContaining([
        expect.objectContaining({ network: 'migration', rateBitPerS: 100e6, lossRatio: 0.01, isUp: true }),
        expect.objectContaining({ network: 'guest-a', isUp: false }),
      ]),
    );
    // As a container that is started again: with cables that nobody has touched.
    await cluster.skein('fault', 'kill', 'h1');
    await expect(cluster.skein('fault', 'cut', 'h1', 'migration')).rejects.toThrow(/does not run any more/);
    await cluster.skein('fault', 'resume', 'h1');
    const renewed = JSON.parse(await cluster.skein('link', 'show', 'h1', '--output', 'json')) as unknown[];
    expect(renewed).toHaveLength(7);
    for (const link of renewed)
      expect(link).toMatchObject({ rateBitPerS: null, lossRatio: null, isUp: true });
    await expectEnd(5);
  });

  it.each([
    [
      'its gateway is not on record yet',
      () => processesOf(folder).some((one) => one.commandLine.includes('gateway.ts')),
    ],
    ['its networks are being made', () => recorded() === 1],
    ['its coordinator has just begun', () => recorded() === 2],
    ['its host has just begun', () => recorded() === 4],
  ])('is ended by down when up was killed while %s', async (_, isThere) => {
    cluster = new SkeinCluster({ SKEIN_STATE: folder });
    const killed = up();
    await until('up is there', isThere);
    const seen = namespacesOf(folder);
    killed.kill('SIGKILL');
    await once(killed, 'exit');
    await expectEnd(0, seen);
  });

  it('has nothing to end twice, and loses its networks with its gateway, which down survives', async () => {
    cluster = new SkeinCluster({ SKEIN_STATE: folder });
    await once(up(), 'exit');
    await expect(cluster.skein('fault', 'kill', 'gateway')).rejects.toThrow(/there is no gateway/);
    const gateway = processesOf(folder).find((one) => one.commandLine.includes('gateway.ts'));
    process.kill(gateway?.pid ?? 0, 'SIGKILL');
    await until('it is gone', () => processesOf(folder).every(({ pid }) => pid !== gateway?.pid));
    await expect(cluster.skein('link', 'show', 'h1')).rejects.toThrow(/networks of this cluster are gone/);
    await expectEnd(3);
    await cluster.skein('down');
  });
});
