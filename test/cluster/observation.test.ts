/**
 * The downtime of one migration by three clocks, in a whole cluster: the hypervisor's, that of the guest which moves and ticks, and
 * that of another guest which pings it. What is observed stands in the record from then on.
 */
import { type OperationView, readLedger } from '@skein/shared';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Cluster, type Console } from '../support/cluster.ts';

let cluster: Cluster;
let web1: Console;
let web2: Console;

beforeAll(async () => {
  cluster = await Cluster.start(2);
  web1 = await cluster.boot('web1', 'h1', '10.77.0.11');
  web2 = await cluster.boot('web2', 'h2', '10.77.0.12');
});
afterAll(() => cluster.close());

describe('a migration that is to be observed', () => {
  it('is not begun where nothing tells its time, and says how that is mended', async () => {
    expect(await cluster.refusal('vm', 'migrate', 'web1', '--to', 'h2', '--observe-ticks')).toMatchObject({
      code: 'observation.nothing-heard',
      exitCode: 4,
      message: expect.stringMatching(/^the migration was not begun: no ticks .* web1 .*start `ticker` in it/),
    });
    expect(await cluster.vm('web1')).toMatchObject({ state: 'running', host: 'h1', epoch: 1 });
    expect(await cluster.skein('migration', 'list', '--output', 'json')).toBe('[]\n');
  });

  it('has its downtime by the clocks of guest and network in the record, with what they are without a migration', async () => {
    web1.type('ticker\n');
    await web1.until(/^t 200 /m);
    web2.type('pinger 10.77.0.11 5\n');
    await web2.until(/^p 20 /m);
    const observed = ['--observe-ticks', '--observe-pings', 'web2'];
    const told = await cluster.skein('vm', 'migrate', 'web1', '--to', 'h2', ...observed, '--output', 'json');
    const operation = JSON.parse(told) as OperationView;
    const { migration, observation } = operation;
    const [guest, network] = [observation?.guest ?? null, observation?.network ?? null];
    expect(migration).toMatchObject({ outcome: 'committed', from: 'h1', to: 'h2' });
    // No tick is made while the guest stands; the target's clock is known to within the error.
    expect(guest?.gapMs).toBeGreaterThan((migration?.downtimeMs ?? 0) - (migration?.clockOffsetErrorMs ?? 0));
    expect(guest?.lost).toBe(0);
    expect(guest?.readings).toBeGreaterThan(2);
    expect(guest?.controlGapMs).toBeGreaterThanOrEqual(1);
    expect(network?.gapMs).toBeGreaterThan(0);
    expect(network?.readings).toBeGreaterThan(2);
    expect((await cluster.operation(operation.id)).observation).toEqual(observation);

    const { downtime, lines } = readLedger(await cluster.skein('migration', 'ledger', operation.id));
    const clocks = { hypervisor: migration?.downtimeMs, guest: guest?.gapMs, network: network?.gapMs };
    expect(downtime?.clocks).toEqual(clocks);
    expect(lines.filter(({ event }) => event === 'observation')).toHaveLength(2);
    expect(await cluster.skein('migration', 'report', operation.id, '-o', '-')).not.toContain('not observed');
    expect(await cluster.skein('describe', 'operation', operation.id)).toMatch(
      /seen as +by the guest's clock [\d.]+ ms between two of \d+ ticks \(0 lost, [\d.]+ ms before\); by the network's [\d.]+ ms/,
    );
  });

  it('that ended otherwise has nothing observed', async () => {
    const options = ['--deadline', '1s', '--bandwidth', '64KiB', '--observe-ticks'];
    const refusal = await cluster.refusal('vm', 'migrate', 'web1', '--to', 'h1', ...options);
    expect(refusal.exitCode).not.toBe(0);
    const [last] = JSON.parse(
      await cluster.skein('migration', 'list', '--output', 'json'),
    ) as OperationView[];
    expect(last).toMatchObject({ state: 'failed', observation: null });
    expect(await cluster.vm('web1')).toMatchObject({ state: 'running', host: 'h2' });
  });
});
