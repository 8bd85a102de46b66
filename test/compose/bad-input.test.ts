/**
 * `docker compose up --wait` with what cannot work: it says what and why, its exit code is no zero, and what it could see
 * beforehand leaves nothing at all. What only Docker can see, `skein doctor` explains.
 */
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import {
  compose,
  docker,
  doctor,
  downCluster,
  hosts,
  leftOvers,
  project,
  settings,
  typedUp,
  vms,
} from './compose-cluster.ts';

const root = resolve(import.meta.dirname, '../..');
const folder = mkdtempSync(join(tmpdir(), 'skein-bad-compose-'));
/** The build sees files of the checkout alone. */
const clusterFile = `compose/cluster.test-${process.pid}.yaml`;
const otherImage = `${project}-other:local`;

beforeAll(() => downCluster(), 120_000);
afterEach(() => downCluster(), 120_000);
afterAll(async () => {
  rmSync(folder, { recursive: true });
  rmSync(join(root, clusterFile), { force: true });
  await docker('image', 'rm', '--force', otherImage);
});

async function find(name: string, others: Readonly<Record<string, string>> = {}) {
  const { exitCode, said } = await doctor(others);
  const findings = JSON.parse(said) as { name: string; verdict: string; found: string; advice: string }[];
  return { exitCode, ...findings.find((finding) => finding.name === name) };
}

describe('docker compose up, seen through by the build', () => {
  it('refuses subnets of which two overlap, before anything is made', async () => {
    const { exitCode, said } = await typedUp({ SKEIN_SUBNET_MIGRATION: '10.91.1.128/25' });
    expect(exitCode).not.toBe(0);
    expect(said).toContain('10.91.1.128/25 overlaps 10.91.1.0/24 of management: each network needs a subnet');
    expect(said).toContain('Nothing was started.');
    expect(await leftOvers()).toEqual([]);
  });

  it('refuses a cluster file with an unknown key or a VM that cannot be, by line and column', async () => {
    const vmsOf = async (text: string): Promise<string> => {
      writeFileSync(join(root, clusterFile), text);
      const { exitCode, said } = await typedUp({ SKEIN_CLUSTER_FILE: clusterFile });
      expect(exitCode).not.toBe(0);
      expect(await leftOvers()).toEqual([]);
      return said;
    };
    expect(await vmsOf('vms:\n  - name: web1\n    memory: 64GB\n')).toContain(
      `${clusterFile}:3:5: vms.0.memory: there is no such key; keys here: name, memoryMib, image, nics,`,
    );
    const impossible = await vmsOf(
      'vms:\n  - { name: a, memoryMib: 64 }\n  - { name: b, memoryMib: 3000 }\n',
    );
    expect(impossible).toMatch(/:2:27: vms\.0\.memoryMib: its image does not boot in 64 MiB: at least \d+/);
    expect(impossible).toContain(':3:27: vms.1.memoryMib: 3000 MiB are more than any host has: at most 1024');
  });

  it('refuses a variable that is no number, and shows it', async () => {
    const { exitCode, said } = await typedUp({ SKEIN_HOST_MEMORY_MIB: '1g' });
    expect(exitCode).not.toBe(0);
    expect(said).toMatch(/SKEIN_CONFIG is not JSON.*memoryMib\\": 1g/);
    expect(await leftOvers()).toEqual([]);
  });
});

describe('docker compose up, refused by Docker', () => {
  it('fails where a subnet is another network’s; doctor says whose, and down takes all away', async () => {
    const foreign = `${project}-foreign`;
    await docker('network', 'create', '--subnet', '10.91.2.0/25', foreign);
    try {
      const { exitCode, said } = await typedUp({});
      expect(exitCode).not.toBe(0);
      expect(said).toMatch(new RegExp(`${project}_migration.*overlaps`));
      const finding = await find('subnets');
      expect(finding).toMatchObject({ exitCode: 1, verdict: 'missing' });
      expect(finding.found).toBe(
        `10.91.2.0/24 of migration overlaps 10.91.2.0/25 of Docker's network ${foreign}`,
      );
      expect(finding.advice).toContain('SKEIN_SUBNET_MIGRATION=');
      await compose('down', '--volumes');
      expect(await leftOvers()).toEqual([]);
    } finally {
      await docker('network', 'rm', foreign);
    }
  });

  it('fails where a port is another program’s; doctor says whose, and down takes all away', async () => {
    const server = createServer();
    const port = Number(settings.SKEIN_API_PORT);
    await new Promise<void>((done) => server.listen(port, '127.0.0.1', done));
    try {
      const { exitCode, said } = await typedUp({});
      expect(exitCode).not.toBe(0);
      expect(said).toMatch(new RegExp(`127\\.0\\.0\\.1:${port}.*in use|port is already allocated`));
      const finding = await find('published ports');
      expect(finding).toMatchObject({ exitCode: 1, verdict: 'missing' });
      expect(finding.found).toMatch(
        new RegExp(`in use: 127\\.0\\.0\\.1:${port} \\(by \\S+ \\(pid ${process.pid}\\)\\)`),
      );
      expect(finding.advice).toContain('SKEIN_API_PORT=');
      await compose('down', '--volumes');
      expect(await leftOvers()).toEqual([]);
    } finally {
      server.close();
    }
  });

  it('is told apart from an engine that does not answer', async () => {
    const silent = createServer();
    const path = join(folder, 'silent.sock');
    await new Promise<void>((done) => silent.listen(path, done));
    try {
      const finding = await find('docker engine', { DOCKER_HOST: `unix://${path}` });
      expect(finding).toMatchObject({
        exitCode: 1,
        verdict: 'missing',
        found: 'it does not answer within 8 s',
      });
      expect(await find('docker engine')).toMatchObject({ verdict: 'good' });
    } finally {
      silent.close();
    }
  });
});

describe('hosts in containers that do not fit their cluster', () => {
  it('end at once and say why; up names them, and the cluster runs without them', async () => {
    await typedUp({}); // The image must be there for one that is made of it.
    await downCluster();
    chmodSync(folder, 0o755); // The programs are nobody here.
    writeFileSync(
      join(folder, 'agent.token'),
      `skein1.agent.${'0'.repeat(10)}.9999999999.${'A'.repeat(43)}.${'B'.repeat(43)}\n`,
      { mode: 0o644 },
    );
    writeFileSync(
      join(folder, 'Dockerfile'),
      "FROM skein:local\nUSER root\nRUN sed -i 's/min: [0-9]*, max: [0-9]*/min: 99, max: 99/' packages/shared/src/protocol/version.ts\nUSER skein\n",
    );
    await docker('build', '--quiet', '--tag', otherImage, '--file', join(folder, 'Dockerfile'), folder);
    const misfits = join(folder, 'misfits.yaml');
    writeFileSync(
      misfits,
      `services:
  h2: { image: "${otherImage}" }
  h3: { volumes: ["${folder}:/var/lib/skein-join:ro"] }
`,
    );
    const { exitCode, said } = await typedUp({}, 'compose.yaml', misfits);
    expect(exitCode).not.toBe(0);
    expect(said).toMatch(new RegExp(`${project}-h[23]-1 exited \\(4\\)`));
    const logs = await compose('logs', '--no-log-prefix', 'h2', 'h3');
    expect(logs).toMatch(
      /the coordinator at \S+ refuses host h2: .*versions 99 to 99.*: update the older one/,
    );
    expect(logs).toMatch(/is not of the cluster that this join token is for/);
    const finding = await find('containers');
    expect(finding.verdict).toBe('warning');
    expect(finding.found).toMatch(/h2-1 does not run: .*update the older one/);
    expect(finding.found).toMatch(/h3-1 does not run: .*join token/);
    expect((await hosts()).map(({ name }) => name)).toEqual(['h1']);
    expect((await vms()).map(({ host }) => host)).toEqual(['h1', 'h1', 'h1']);
  });
});
