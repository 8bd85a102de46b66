import { OperationError } from '@skein/shared';
import { afterEach, describe, expect, it } from 'vitest';
import { CoordinatorBed } from './coordinator-bed.ts';

let bed: CoordinatorBed;
afterEach(() => bed.close());

async function start(): Promise<void> {
  bed = await CoordinatorBed.start(['h1', 'h2', 'h3']);
  await bed.running('web1', 'h1');
}

describe('a migration', () => {
  it('keeps the record of both sides and moves VM, reservation and owner', async () => {
    await start();
    const migration = await bed.migrating('web1', 'h1', 'h2', { downtimeBudgetMs: 5 });
    expect(await bed.vm('web1')).toMatchObject({ state: 'migrating', operation: migration.operation });
    await migration.commit();
    const ended = await bed.succeeded(migration.operation);
    expect(ended).toMatchObject({ kind: 'vm-migrate', host: 'h1', targetHost: 'h2' });
    expect(ended.migration).toMatchObject({
      outcome: 'committed',
      phases: { precopyMs: 100, stopAndCopyMs: 5, postcopyMs: 1 },
      stateHashSource: '00000000000000aa',
      stateHashTarget: '00000000000000aa',
      stateHashSourceFull: '00000000000000aa',
    });
    expect(await bed.vm('web1')).toMatchObject({ state: 'running', host: 'h2', epoch: 2 });
    expect(await bed.host('h1')).toMatchObject({ vms: 0, usedMemoryMib: 0 });
    expect(await bed.host('h2')).toMatchObject({ vms: 1, usedMemoryMib: 128 });
  });

  it('that is given up leaves the VM at its source, with the reason and the record', async () => {
    await start();
    const migration = await bed.migrating('web1', 'h1', 'h2');
    migration.discard();
    migration.tell('source', 'aborted', 'the rounds did not converge');
    migration.tell('target', 'aborted', 'the source gave up');
    const ended = await bed.ended(migration.operation);
    expect(ended).toMatchObject({ state: 'failed', problem: { code: 'migration.aborted' } });
    expect(ended.problem?.message).toContain('the rounds did not converge');
    expect(ended.migration).toMatchObject({ outcome: 'aborted' });
    await bed.vmIs('web1', ({ state }) => state === 'running', 'runs on');
    expect(await bed.vm('web1')).toMatchObject({ host: 'h1', epoch: 1 });
    await bed.until('the target is free', async () => (await bed.host('h2')).usedMemoryMib === 0);
  });

  it('is called off at the source when the target refuses', async () => {
    await start();
    bed.agent('h2').before = (name) => {
      if (name === 'migration.target')
        throw new OperationError({ code: 'host.out-of-memory', message: 'no memory left here' });
    };
    const { operation } = await bed.change('POST', '/v1/vms/web1/migrate', { host: 'h2' });
    await bed.until('the source is told', () =>
      bed.agent('h1').received.some(({ name }) => name === 'migration.cancel'),
    );
    const ended = await bed.ended(operation);
    expect(ended.state).toBe('failed');
    expect(ended.problem?.message).toContain('no memory left here');
    await bed.vmIs('web1', ({ state, host }) => state === 'running' && host === 'h1', 'runs on');
  });

  it('whose source dies after the pass has happened: the lease says so', async () => {
    await start();
    const migration = await bed.migrating('web1', 'h1', 'h2');
    await migration.pass();
    bed.agent('h1').kill();
    const ended = await bed.succeeded(migration.operation);
    expect(ended.timeline.some(({ name }) => name === 'committed')).toBe(true);
    expect(await bed.vm('web1')).toMatchObject({ state: 'running', host: 'h2', epoch: 2 });
    expect((await bed.operations()).some(({ kind }) => kind === 'vm-restart')).toBe(false);
  });

  it('whose source dies before the pass ends, and the VM is started anew', async () => {
    await start();
    const migration = await bed.migrating('web1', 'h1', 'h2');
    bed.agent('h1').kill();
    migration.discard();
    migration.tell('target', 'aborted', 'the source is gone');
    expect(await bed.ended(migration.operation)).toMatchObject({ state: 'failed' });
    await bed.vmIs('web1', ({ state, host }) => state === 'running' && host !== 'h1', 'runs elsewhere');
    expect((await bed.vm('web1')).epoch).toBe(2);
  });

  it('whose target dies before the pass leaves the VM at its source', async () => {
    await start();
    const migration = await bed.migrating('web1', 'h1', 'h2');
    bed.agent('h2').kill();
    migration.tell('source', 'aborted', 'the target is gone');
    expect(await bed.ended(migration.operation)).toMatchObject({ state: 'failed' });
    await bed.vmIs('web1', ({ state }) => state === 'running', 'runs on');
    expect(await bed.vm('web1')).toMatchObject({ host: 'h1', epoch: 1 });
  });

  it('whose target dies right after the pass becomes a restart, never a second copy', async () => {
    await start();
    const migration = await bed.migrating('web1', 'h1', 'h2');
    await migration.pass();
    bed.agent('h2').kill();
    migration.tell('source', 'committed');
    await bed.ended(migration.operation);
    await bed.vmIs('web1', ({ state, host }) => state === 'running' && host !== 'h2', 'runs elsewhere');
    expect((await bed.vm('web1')).epoch).toBe(3);
    const copies = bed.agents().filter((agent) => agent.options.name !== 'h2' && agent.vmNamed('web1'));
    expect(copies).toHaveLength(1);
  });

  it('chooses the least loaded host when none is named', async () => {
    await start();
    await bed.running('other', 'h2');
    const { operation } = await bed.change('POST', '/v1/vms/web1/migrate', {});
    expect(await bed.operation(operation)).toMatchObject({ targetHost: 'h3' });
  });

  it('is refused to its own host, to a host without the network, and for a VM that does not run', async () => {
    bed = await CoordinatorBed.start(['h1']);
    bed.addAgent('h2', { hasMigration: false });
    await bed.hostIs('h2', 'connected');
    await bed.running('web1', 'h1');
    await bed.create('off', { start: false });
    const migrate = (vm: string, host: string) => bed.ask('POST', `/v1/vms/${vm}/migrate`, { host });
    expect(await migrate('web1', 'h1')).toMatchObject({ status: 409, body: { code: 'migration.same-host' } });
    expect(await migrate('web1', 'h2')).toMatchObject({
      status: 409,
      body: { code: 'migration.no-network' },
    });
    expect(await migrate('web1', 'h9')).toMatchObject({ status: 404, body: { code: 'host.not-found' } });
    expect(await migrate('off', 'h2')).toMatchObject({ status: 409, body: { code: 'vm.wrong-state' } });
    expect(await migrate('none', 'h2')).toMatchObject({ status: 404, body: { code: 'vm.not-found' } });
    expect((await bed.vm('web1')).operation).toBeNull();
  });
});
