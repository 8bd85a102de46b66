import { OperationError } from '@skein/shared';
import { afterEach, describe, expect, it } from 'vitest';
import { CoordinatorBed } from './coordinator-bed.ts';
import type { CommandName } from './scripted-agent.ts';
import { ScriptedMigration } from './scripted-migration.ts';

let bed: CoordinatorBed;
afterEach(() => bed.close());

/** Kills the coordinator while a command is in the agent's hands, before or after its effect; the answer is lost. */
async function killAt(host: string, command: CommandName, moment: 'before' | 'after'): Promise<void> {
  const agent = bed.agent(host);
  const isReached = Promise.withResolvers<void>();
  const release = Promise.withResolvers<void>();
  let isFirst = true;
  agent[moment] = (name) => {
    if (name !== command || !isFirst) return;
    isFirst = false;
    isReached.resolve();
    return release.promise;
  };
  await isReached.promise;
  await bed.killCoordinator();
  release.resolve();
}

function committing(operation: string | null): ScriptedMigration {
  return new ScriptedMigration(operation ?? '', bed.agent('h1'), bed.agent('h2'), 'web1');
}

const moments = ['before', 'after'] as const;

describe('an operation whose coordinator is killed', () => {
  it.each(moments)('goes on after a start that was cut %s its effect, with one effect', async (moment) => {
    bed = await CoordinatorBed.start(['h1', 'h2']);
    const killed = killAt('h1', 'vm.start', moment);
    const { operation } = await bed.create('web1', { host: 'h1' });
    await killed;
    await bed.startCoordinator();
    await bed.succeeded(operation);
    expect(await bed.vm('web1')).toMatchObject({ state: 'running', host: 'h1', epoch: 1 });
    expect(bed.agent('h1').count('vm.start')).toBeGreaterThan(0);
    expect(bed.agent('h1').vmNamed('web1')?.epoch).toBe(1);
    const all = await bed.operations();
    expect(all.map(({ id, kind }) => ({ id, kind }))).toEqual([{ id: operation, kind: 'vm-start' }]);
  });

  it.each(moments)('goes on after a stop that was cut %s its effect', async (moment) => {
    bed = await CoordinatorBed.start(['h1']);
    await bed.running('web1', 'h1');
    const killed = killAt('h1', 'vm.stop', moment);
    const { operation } = await bed.change('POST', '/v1/vms/web1/stop');
    await killed;
    await bed.startCoordinator();
    await bed.succeeded(operation);
    expect(await bed.vm('web1')).toMatchObject({ state: 'stopped', host: null });
    expect(bed.agent('h1').count('vm.stop')).toBe(1);
    expect((await bed.operations()).map(({ kind }) => kind).toSorted()).toEqual(['vm-start', 'vm-stop']);
  });

  it.each(moments)('takes up or rolls back a migration that was cut %s the source began', async (moment) => {
    bed = await CoordinatorBed.start(['h1', 'h2']);
    await bed.running('web1', 'h1');
    const killed = killAt('h1', 'migration.source', moment);
    const { operation } = await bed.change('POST', '/v1/vms/web1/migrate', { host: 'h2' });
    await killed;
    await bed.startCoordinator();
    const isTold = await bed.until('it goes on or ends', async () => {
      if (bed.agent('h2').count('migration.target') > 0) return 'told';
      return (await bed.operation(operation)).endedAtMs === null ? null : 'ended';
    });
    if (isTold === 'told') await committing(operation).commit();
    const { state } = await bed.ended(operation);
    expect(state).toBe(isTold === 'told' ? 'succeeded' : 'failed');
    const [host, epoch] = isTold === 'told' ? ['h2', 2] : ['h1', 1];
    await bed.vmIs('web1', (vm) => vm.state === 'running' && vm.host === host, `runs on ${host}`);
    expect((await bed.vm('web1')).epoch).toBe(epoch);
    expect(bed.agents().filter((agent) => agent.vmNamed('web1'))).toHaveLength(1);
    expect(bed.agent('h1').count('migration.source')).toBe(1);
  });

  it.each(moments)('goes on with a migration that was cut %s the target was admitted', async (moment) => {
    bed = await CoordinatorBed.start(['h1', 'h2']);
    await bed.running('web1', 'h1');
    const killed = killAt('h2', 'migration.target', moment);
    const { operation } = await bed.change('POST', '/v1/vms/web1/migrate', { host: 'h2' });
    await killed;
    await bed.startCoordinator();
    await bed.until('the target was told', () => bed.agent('h2').count('migration.target') > 0);
    await committing(operation).commit();
    const ended = await bed.succeeded(operation);
    expect(ended.migration).toMatchObject({ outcome: 'committed', from: 'h1', to: 'h2' });
    await bed.vmIs('web1', (vm) => vm.state === 'running' && vm.host === 'h2', 'runs on h2');
    expect((await bed.vm('web1')).epoch).toBe(2);
    expect(bed.agent('h1').count('migration.source')).toBe(1);
    expect(bed.agent('h2').count('migration.target')).toBe(1);
  });

  it('learns after its restart how a migration ended that committed while it was away', async () => {
    bed = await CoordinatorBed.start(['h1', 'h2']);
    await bed.running('web1', 'h1');
    const migration = await bed.migrating('web1', 'h1', 'h2');
    await bed.until('it is watched', async () =>
      (await bed.operation(migration.operation)).timeline.some(({ name }) => name.startsWith('target')),
    );
    await bed.killCoordinator();
    await migration.commit();
    await bed.startCoordinator();
    const ended = await bed.succeeded(migration.operation);
    expect(ended.migration?.stateHashSourceFull).toBe('00000000000000aa');
    await bed.vmIs('web1', (vm) => vm.state === 'running' && vm.host === 'h2', 'runs on h2');
    expect((await bed.vm('web1')).epoch).toBe(2);
  });

  it('goes on with a restart that was cut in the middle, and starts no second copy', async () => {
    bed = await CoordinatorBed.start(['h1', 'h2', 'h3']);
    await bed.running('web1', 'h1');
    await bed.create('ballast', { host: 'h3', memoryMib: 800 });
    const killed = killAt('h2', 'vm.start', 'after');
    bed.agent('h1').kill();
    await killed;
    await bed.startCoordinator();
    await bed.vmIs('web1', ({ state, host }) => state === 'running' && host === 'h2', 'runs on h2');
    expect((await bed.vm('web1')).epoch).toBe(2);
    expect(bed.agent('h2').count('vm.start')).toBe(1);
    expect(bed.agent('h3').vmNamed('web1')).toBeUndefined();
    expect((await bed.operations()).filter(({ kind }) => kind === 'vm-restart')).toHaveLength(1);
  });
});

describe('a start', () => {
  it('goes to another host when the first one will not have it, and says so', async () => {
    bed = await CoordinatorBed.start(['h1', 'h2']);
    bed.agent('h1').before = (name) => {
      if (name === 'vm.start')
        throw new OperationError({ code: 'host.out-of-memory', message: 'this host has no memory left' });
    };
    const { operation } = await bed.create('web1');
    await bed.succeeded(operation);
    expect(await bed.vm('web1')).toMatchObject({ state: 'running', host: 'h2' });
  });

  it('fails with the reason of the host that was named, and leaves the VM off', async () => {
    bed = await CoordinatorBed.start(['h1', 'h2']);
    bed.agent('h1').before = (name) => {
      if (name === 'vm.start')
        throw new OperationError({ code: 'image.not-found', message: 'there is no image 0000' });
    };
    const { operation } = await bed.create('web1', { host: 'h1' });
    const ended = await bed.ended(operation);
    expect(ended).toMatchObject({ state: 'failed', problem: { code: 'image.not-found' } });
    expect(['stopped', 'failed']).toContain((await bed.vm('web1')).state);
    expect((await bed.operations()).length).toBe(1);
    bed.agent('h1').before = () => {};
    await bed.succeeded((await bed.change('POST', '/v1/vms/web1/start', {})).operation);
  });

  it('becomes a restart elsewhere when its host dies in the middle of it', async () => {
    bed = await CoordinatorBed.start(['h1', 'h2']);
    const agent = bed.agent('h1');
    agent.after = (name) => (name === 'vm.start' ? new Promise<void>(() => {}) : undefined);
    await bed.create('web1');
    await bed.until('it has begun', () => agent.count('vm.start') > 0);
    agent.kill();
    await bed.vmIs('web1', ({ state, host }) => state === 'running' && host === 'h2', 'runs on h2');
    expect((await bed.vm('web1')).epoch).toBe(2);
  });
});
