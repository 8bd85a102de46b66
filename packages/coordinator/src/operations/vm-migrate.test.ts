import type { MigrationRecord, OperationView } from '@skein/shared';
import { OperationError } from '@skein/shared';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { beginMove, commitMove, moveRecord } from '../testing/scripted-move.ts';
import { TestCluster } from '../testing/test-cluster.ts';

let cluster: TestCluster;
let vm: string;

beforeEach(async () => {
  cluster = await TestCluster.start(2);
  ({ id: vm } = await cluster.boot('web1', 'h1'));
});
afterEach(() => cluster.close());

const begin = (): Promise<string> => beginMove(cluster);
const commit = (): void => commitMove(cluster, vm);
const record = (operation: string, outcome: MigrationRecord['outcome'], reason: string | null = null) =>
  moveRecord(operation, vm, outcome, reason);

const stepsOf = (operation: OperationView): string[] => operation.timeline.map(({ name }) => name);

describe('a migration', () => {
  it('introduces source and target to each other and keeps the record', async () => {
    const id = await begin();
    const target = cluster.agent('h2').commands('migration.target')[0]?.body;
    expect(target).toMatchObject({
      sourceHost: 'h1',
      sourceAddress: '127.0.2.1',
      sourcePort: 5000,
      epoch: 1,
    });
    expect(await cluster.vm('web1')).toMatchObject({ state: 'migrating', operation: id });
    commit();
    await cluster.agent('h1').migrationEnded('source', record(id, 'committed'));
    const ended = await cluster.ended(id);
    expect(ended).toMatchObject({ state: 'succeeded', host: 'h1', targetHost: 'h2' });
    expect(ended.migration).toEqual(record(id, 'committed'));
    expect(stepsOf(ended)).toEqual(['intent', 'source ready', 'target ready', 'committed', 'closed']);
    expect(await cluster.running('web1', 'h2')).toMatchObject({ epoch: 2 });
    expect(cluster.agent('h1').commands('vm.start')).toHaveLength(1);
    expect(cluster.agent('h2').commands('vm.start')).toHaveLength(0);
  });

  it('that the source gave up fails with its reason; the guest runs on', async () => {
    const id = await begin();
    await cluster.agent('h1').migrationEnded('source', record(id, 'aborted', 'the rounds do not converge'));
    const ended = await cluster.ended(id);
    expect(ended).toMatchObject({ state: 'failed', problem: { code: 'migration.aborted' } });
    expect(ended.problem?.message).toContain('the rounds do not converge');
    expect(ended.migration?.outcome).toBe('aborted');
    expect(await cluster.running('web1', 'h1')).toMatchObject({ epoch: 1 });
  });

  it('that the source gave up ends once its target, told so, has given its copy up', async () => {
    const id = await begin();
    const target = cluster.agent('h2');
    target.isAwaitingLease = true;
    await cluster.agent('h1').migrationEnded('source', record(id, 'aborted', 'the link ended'));
    await cluster.eventually('it was told', () => target.commands('migration.source-aborted').length > 0);
    expect(target.commands('migration.source-aborted')[0]?.body).toEqual({
      operation: id,
      vm,
      reason: 'the link ended',
    });
    expect(await cluster.operation(id)).toMatchObject({ endedAtMs: null });
    target.isAwaitingLease = false;
    expect(await cluster.ended(id)).toMatchObject({ state: 'failed' });
  });

  it('is called off at the source when the target refuses', async () => {
    cluster.agent('h2').before = () => {
      throw new OperationError({ code: 'host.out-of-memory', message: 'no room left' });
    };
    cluster.agent('h1').before = (command, body) => {
      const { operation } = body as { operation: string };
      if (command === 'migration.cancel')
        void cluster.agent('h1').migrationEnded('source', record(operation, 'aborted', 'cancelled'));
    };
    const { operation } = await cluster.post('/vms/web1/migrate', { host: 'h2' });
    const ended = await cluster.ended(operation);
    expect(ended).toMatchObject({ state: 'failed', problem: { code: 'host.out-of-memory' } });
    expect(ended.problem?.message).toContain('no room left');
    expect(cluster.agent('h1').commands('migration.cancel').length).toBeGreaterThan(0);
    expect(await cluster.running('web1', 'h1')).toMatchObject({ epoch: 1 });
  });

  it('whose source died after the commit is found on the target', async () => {
    const id = await begin();
    commit();
    cluster.agent('h1').kill();
    const ended = await cluster.ended(id);
    expect(ended).toMatchObject({ state: 'succeeded' });
    expect(await cluster.running('web1', 'h2')).toMatchObject({ epoch: 2 });
    expect(cluster.agent('h2').commands('vm.start')).toHaveLength(0);
  });

  it('whose source died before the commit fails, and the guest is restarted once', async () => {
    const id = await begin();
    cluster.agent('h1').kill();
    expect(await cluster.ended(id)).toMatchObject({
      state: 'failed',
      problem: { code: 'migration.aborted' },
    });
    expect(await cluster.running('web1', 'h2')).toMatchObject({ epoch: 2 });
    expect(cluster.agent('h2').commands('vm.start')).toHaveLength(1);
  });

  it('that was refused fails with the code of the refusal', async () => {
    const id = await begin();
    const refused = {
      ...record(id, 'aborted', 'page 5 is not what the source sent'),
      code: 'migration.page-mismatch',
    };
    await cluster.agent('h1').migrationEnded('source', refused as MigrationRecord);
    const { problem } = await cluster.ended(id);
    expect(problem?.code).toBe('migration.page-mismatch');
    expect(problem?.message).toContain('it runs on at h1: page 5 is not what the source sent');
  });

  it('is not ended by a host that has no part in it, or another one', async () => {
    const id = await begin();
    await cluster.agent('h2').migrationEnded('source', record(id, 'aborted', 'says the target'));
    await cluster.agent('h1').migrationEnded('target', record(id, 'committed'));
    commit();
    await cluster.agent('h1').migrationEnded('source', record(id, 'committed'));
    expect(await cluster.ended(id)).toMatchObject({
      state: 'succeeded',
      migration: { outcome: 'committed' },
    });
  });

  it('waits for the memory that follows, and for the record of that', async () => {
    const id = await begin();
    commit();
    cluster.agent('h2').set(vm, { missingPages: 5000 });
    await cluster.eventually(
      'it is known to run there',
      async () => (await cluster.vm('web1')).host === 'h2',
    );
    cluster.agent('h2').set(vm, { missingPages: 0 });
    await cluster.agent('h2').migrationEnded('target', record(id, 'committed'));
    await cluster.agent('h1').migrationEnded('source', record(id, 'committed'));
    expect(await cluster.ended(id)).toMatchObject({ state: 'succeeded' });
  });

  it('waits for the memory that follows also where the source has told its end already', async () => {
    const id = await begin();
    commit();
    cluster.agent('h2').set(vm, { missingPages: 5000 });
    await cluster.agent('h1').migrationEnded('source', record(id, 'committed'));
    cluster.agent('h2').set(vm, { missingPages: 4000 });
    await cluster.eventually('it waits for the rest', async () =>
      /^4000 pages/.test((await cluster.operation(id)).waiting ?? ''),
    );
    cluster.agent('h2').set(vm, { missingPages: 0 });
    expect(await cluster.ended(id)).toMatchObject({ state: 'succeeded' });
  });

  it('whose guest lost its memory with the source fails with that, and the guest is started anew', async () => {
    const id = await begin();
    commit();
    cluster.agent('h2').set(vm, { missingPages: 5000 });
    cluster.agent('h1').kill();
    const lost = '5000 pages of its memory were lost with h1: the link ended';
    await cluster.agent('h2').migrationEnded('target', record(id, 'committed', lost));
    cluster.agent('h2').end(vm, lost);
    const ended = await cluster.ended(id);
    expect(ended).toMatchObject({ state: 'failed', problem: { code: 'migration.memory-lost' } });
    expect(ended.problem?.message).toBe(`${lost}; it is started anew`);
    expect(await cluster.running('web1', 'h2')).toMatchObject({ epoch: 3 });
    expect(cluster.agent('h2').commands('vm.start')).toHaveLength(1);
  });

  it('goes on over a restart of the coordinator; what ended meanwhile is told again', async () => {
    const id = await begin();
    await cluster.stopCoordinator();
    commit();
    await cluster.startCoordinator();
    await cluster.eventually('the source is back', async () =>
      cluster
        .agent('h1')
        .migrationEnded('source', record(id, 'committed'))
        .then(
          () => true,
          () => false,
        ),
    );
    expect(await cluster.ended(id)).toMatchObject({
      state: 'succeeded',
      migration: { outcome: 'committed' },
    });
    expect(await cluster.running('web1', 'h2')).toMatchObject({ epoch: 2 });
    expect(cluster.agent('h2').commands('migration.target')).toHaveLength(1);
  });

  it('is refused to the host it runs on, to a full one, and for a VM that is off', async () => {
    await expect(cluster.post('/vms/web1/migrate', { host: 'h1' })).rejects.toThrow(
      /409.*migration\.same-host/,
    );
    await expect(cluster.post('/vms/web1/migrate', { host: 'h7' })).rejects.toThrow(/404.*host\.not-found/);
    await cluster.boot('big', 'h2', { memoryMib: 960 });
    await expect(cluster.post('/vms/web1/migrate', {})).rejects.toThrow(
      /409.*h2 has 64 MiB free of 128 needed/,
    );
    await cluster.create('off', { start: false });
    await expect(cluster.post('/vms/off/migrate', {})).rejects.toThrow(/409.*vm\.wrong-state/);
  });
});
