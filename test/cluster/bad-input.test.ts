/** What must not become part of a cluster, and how it is told so: it ends, says why and what to do, and leaves nothing. */
import { randomBytes } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type AgentConfig, protocolVersions } from '@skein/shared';
import { CertificateAuthority } from '@skein/transport/authority';
import {
  formatJoinToken,
  type JoinToken,
  parseJoinToken,
  writeCredentials,
} from '@skein/transport/certificates';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { Cluster } from '../support/cluster.ts';
import { otherBuild } from '../support/other-build.ts';
import { spawnProgram } from '../support/process.ts';

let cluster: Cluster;
let folder: string;
const state = (): string => join(folder, 'h9');

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'skein-bad-input-'));
  cluster = await Cluster.start(1);
});
beforeEach(() => rmSync(state(), { recursive: true, force: true }));
afterAll(async () => {
  await cluster.close();
  rmSync(folder, { recursive: true, force: true });
});

/** A second host beside h1, with a state of its own. */
function secondHost(): AgentConfig {
  const config = JSON.parse(readFileSync(cluster.process('h1').configFile, 'utf8')) as AgentConfig;
  const addresses = Object.entries(config.addresses).map(([kind, address]) => [
    kind,
    address.replace(/\.\d+$/, '.99'),
  ]);
  return {
    ...config,
    host: 'h9',
    stateDirectory: state(),
    addresses: Object.fromEntries(addresses) as AgentConfig['addresses'],
    capacity: { memoryMib: 256, cpuMhz: 100 },
  };
}

/** A join token that differs from the cluster's own in this. */
function otherToken(difference: Partial<JoinToken>): string {
  const token = parseJoinToken(readFileSync(secondHost().joinTokenFile ?? '', 'utf8'));
  const file = join(folder, 'other.token');
  writeFileSync(file, formatJoinToken({ ...token, ...difference }), { mode: 0o600 });
  return file;
}

/** Starts it and waits until it has ended by itself; its last line is what a person reads. */
async function endOf(
  config: AgentConfig,
  build?: string,
): Promise<{ code: unknown; lastLine: string; log: string }> {
  const { program, ready } = spawnProgram('h9', 'host-agent', folder, config, build);
  ready.catch(() => {});
  const code = await program.ended;
  const log = program.log();
  return { code, lastLine: log.trim().split('\n').at(-1) ?? '', log };
}

const hosts = async (): Promise<string[]> =>
  (await cluster.api<{ name: string }[]>('GET', '/hosts')).map(({ name }) => name);

const random = (): string => randomBytes(32).toString('base64url');

describe('a host that does not fit the cluster', () => {
  it.each([
    ['is of another cluster', { authorityHash: random() }, /not of the cluster that this join token is for/],
    ['has a secret that was guessed', { secret: random() }, /token create/],
    ['has expired', { expiresAtMs: 1e12 }, /expired at 2001-\S+ make one with `skein token create/],
    ['is for a storage service', { kind: 'storage' }, /is for a program of kind storage/],
  ] as const)('ends when its join token %s', async (_, difference, words) => {
    const { code, lastLine, log } = await endOf({ ...secondHost(), joinTokenFile: otherToken(difference) });
    expect(code).toBe(4);
    expect(lastLine).toMatch(words);
    if ('secret' in difference) expect(log).not.toContain(difference.secret);
    expect(await hosts()).toEqual(['h1']);
  });

  it('ends when its join token is damaged, and does not repeat it', async () => {
    const file = join(folder, 'damaged.token');
    writeFileSync(file, 'skein1.agent.c0ffee', { mode: 0o600 });
    const { code, lastLine, log } = await endOf({ ...secondHost(), joinTokenFile: file });
    expect(code).toBe(2);
    expect(lastLine).toContain(`${file}: this is no join token`);
    expect(log).not.toContain('c0ffee');
  });

  it('ends when its certificate is of another cluster, and is never part of this one', async () => {
    const elsewhere = await CertificateAuthority.open(join(folder, 'authority'), 'elsewhere', Date.now());
    const validity = { nowMs: Date.now(), lifeMs: 3_600_000 };
    const credentials = await elsewhere.ownCredentials({ kind: 'agent', name: 'h9' }, validity);
    await writeCredentials(join(state(), 'credentials'), credentials);
    const { joinTokenFile: _, ...config } = secondHost();
    const { code, lastLine } = await endOf(config as AgentConfig);
    expect(code).toBe(4);
    // Asked before the coordinator: a host that cannot hold leases must not register.
    expect(lastLine).toMatch(/^the storage service at 127\.\S+ refuses host h9: .*; let it join/);
    expect(await hosts()).toEqual(['h1']);
    expect(cluster.log('storage')).toMatch(/"code":"link.unauthenticated".*peer rejected/);
  });

  it('ends when its build speaks another protocol version; both ends say which one to update', async () => {
    const { min, max } = protocolVersions;
    const other = max + 1;
    const build = otherBuild({ protocol: other });
    try {
      const { code, lastLine } = await endOf(secondHost(), build.root);
      expect(code).toBe(4);
      expect(lastLine).toMatch(
        new RegExp(
          `^the coordinator at 127\\.\\S+ refuses host h9: .*versions ${other} to ${other} .*update`,
        ),
      );
      expect(await hosts()).toEqual(['h1']);
      expect(cluster.log('coordinator')).toContain(
        `agent h9 speaks protocol versions ${other} to ${other}, this build ${min} to ${max}: update the older one`,
      );
    } finally {
      build.remove();
    }
  });
});

describe('a VM that cannot be', () => {
  const create = (more: Record<string, unknown>): Promise<unknown> =>
    cluster.api('POST', '/vms', { name: 'w', memoryMib: 128, image: cluster.image, start: false, ...more });

  it('is refused by the API: too little memory for its image, and addresses that no station can have', async () => {
    await expect(create({ memoryMib: 64 })).rejects.toThrow(
      /400 .*w does not boot in 64 MiB: its image needs at least \d+/,
    );
    for (const address of ['10.77.0.0/24', '10.77.0.255/24', '127.0.0.1/8']) {
      const nics = [{ segment: 'lan', address }];
      await expect(create({ nics }), address).rejects.toThrow(/400 .*nics/);
    }
    expect(await cluster.api('GET', '/vms')).toEqual([]);
  });
});

describe('a guest whose kernel panics', () => {
  it('is told as such, and does not count as ready any more', async () => {
    const console = await cluster.boot('web1', 'h1', '10.77.0.11');
    console.type('echo c >/proc/sysrq-trigger\n');
    const vm = await cluster.eventually('it is told', async () => {
      const view = await cluster.vm('web1');
      return view.reason !== null && view;
    });
    expect(vm).toMatchObject({ state: 'running', readyMs: null });
    expect(vm.reason).toMatch(/^its kernel panicked: sysrq triggered crash/);
  });
});
