/** `skein up --bed namespaces`: the cluster that one machine's kernel joins by seven networks. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { addressOf, itSurvivesFaults } from '../scenario/faults.ts';
import { itKnowsWhoLostWhom } from '../scenario/lost-hosts.ts';
import { SkeinCluster } from '../support/skein-cluster.ts';

const folder = mkdtempSync(join(tmpdir(), 'skein-namespaces-'));
const cluster = new SkeinCluster({ SKEIN_STATE: folder });

beforeAll(async () => {
  await cluster.skein('up', '--bed', 'namespaces', '--hosts', '3');
  for (const index of [1, 2, 3]) {
    const address = `${addressOf(`web${index}`)}/24`;
    await cluster.skein('vm', 'create', `web${index}`, '--host', `h${index}`, '--address', address);
  }
});
afterAll(async () => {
  await cluster.skein('down');
  rmSync(folder, { recursive: true, force: true });
});

describe('skein up --bed namespaces', () => {
  it('gives each host an address on each of the seven networks', async () => {
    for (const { addresses } of await cluster.hosts())
      expect(Object.values(addresses).map((address) => address.split('.')[2])).toEqual([...'1234567']);
  });
});

itSurvivesFaults(cluster);
itKnowsWhoLostWhom(cluster);
