import { OperationError } from '@skein/shared';
import { afterEach, describe, expect, it } from 'vitest';
import { type Answer, CoordinatorBed } from './coordinator-bed.ts';
import { ScriptedMigration } from './scripted-migration.ts';

let bed: CoordinatorBed;
afterEach(() => bed.close());

async function start(more: Readonly<Record<string, unknown>> = {}): Promise<void> {
  bed = await CoordinatorBed.start(['h1', 'h2', 'h3'], more);
  await bed.running('web1', 'h1');
}

const cancel = (operation: string): Promise<Answer> => bed.ask('POST', `/v1/operations/${operation}/cancel`);

/** Both agents do as the real ones before the commit: the source goes on, the target lets go. */
function obeyCancel(migration: ScriptedMigration): void {
  bed.agent('h1').before = (name) => {
    if (name !== 'migration.cancel') return;
    migration.discard();
    migration.tell('source', 'aborted', 'cancelled on request');
  };
}

const asked = async (): Promise<unknown[]> =>
  (await bed.events()).filter(({ type }) => type === 'operation.cancelling');

describe('cancelling a migration', () => {
  it('that waits for its turn ends it at once; nobody was told, and the next one moves up', async () => {
    await start({ migrationsPerHostMax: 1 });
    await bed.running('web2', 'h1');
    await bed.running('web3', 'h1');
    const first = await bed.migrating('web1', 'h1', 'h2');
    const { operation: second } = await bed.change('POST', '/v1/vms/web2/migrate', { host: 'h3' });
    const { operation: third } = await bed.change('POST', '/v1/vms/web3/migrate', { host: 'h3' });
    const answer = await cancel(second ?? '');
    expect(answer).toMatchObject({ status: 200, body: { id: second, state: 'failed' } });
    expect(answer.body.problem).toMatchObject({ code: 'operation.cancelled' });
    expect(await bed.vm('web2')).toMatchObject({ state: 'running', host: 'h1', epoch: 1, operation: null });
    expect(bed.agent('h1').count('migration.cancel', bed.agent('h1').received)).toBe(0);
    await bed.until('the next one moves up', async () =>
      (await bed.operation(third)).waiting?.startsWith('place 1 of 1'),
    );
    await first.commit();
    await bed.until('the next one begins', () => bed.agent('h3').count('migration.target') === 1);
  });

  it('that runs gives it up at both sides, with an event that says who asked; asking again changes nothing', async () => {
    await start();
    const migration = await bed.migrating('web1', 'h1', 'h2');
    obeyCancel(migration);
    const answer = await cancel(migration.operation);
    expect(answer).toMatchObject({ status: 200, body: { id: migration.operation, endedAtMs: null } });
    expect((await cancel(migration.operation)).status).toBe(200);
    const ended = await bed.ended(migration.operation);
    expect(ended).toMatchObject({ state: 'failed', problem: { code: 'operation.cancelled' } });
    expect(ended.problem?.message).toMatch(/runs on at h1: cancelled by the API token's holder at 127\./);
    expect(ended.migration).toMatchObject({ outcome: 'aborted' });
    for (const host of ['h1', 'h2'])
      expect(bed.agent(host).received.map(({ name }) => name)).toContain('migration.cancel');
    await bed.vmIs('web1', ({ state, host }) => state === 'running' && host === 'h1', 'runs on');
    expect(await cancel(migration.operation)).toMatchObject({ status: 200, body: { state: 'failed' } });
    expect(await asked()).toMatchObject([
      {
        subject: 'vm/web1',
        details: { operation: migration.operation, by: expect.stringContaining("the API token's holder at") },
      },
    ]);
  });

  it('reaches it while the source is being told', async () => {
    await start();
    const held = Promise.withResolvers<void>();
    bed.agent('h1').before = (name) => (name === 'migration.source' ? held.promise : undefined);
    const { operation } = await bed.change('POST', '/v1/vms/web1/migrate', { host: 'h2' });
    await bed.until('the source is told', () => bed.agent('h1').received.length > 1);
    const migration = new ScriptedMigration(operation ?? '', bed.agent('h1'), bed.agent('h2'), 'web1');
    expect((await cancel(operation ?? '')).status).toBe(200);
    obeyCancel(migration);
    held.resolve();
    expect(await bed.ended(operation)).toMatchObject({ problem: { code: 'operation.cancelled' } });
    expect(bed.agent('h2').count('migration.target')).toBe(0);
  });

  it('stays the reason when the target refuses meanwhile', async () => {
    await start();
    const held = Promise.withResolvers<void>();
    bed.agent('h2').before = (name) => (name === 'migration.target' ? held.promise : undefined);
    const { operation } = await bed.change('POST', '/v1/vms/web1/migrate', { host: 'h2' });
    await bed.until('the target is told', () => bed.agent('h2').received.length > 0);
    obeyCancel(new ScriptedMigration(operation ?? '', bed.agent('h1'), bed.agent('h2'), 'web1'));
    expect((await cancel(operation ?? '')).status).toBe(200);
    held.reject(new OperationError({ code: 'host.out-of-memory', message: 'h2 has 3 MiB left' }));
    expect(await bed.ended(operation)).toMatchObject({ problem: { code: 'operation.cancelled' } });
    expect((await cancel(operation ?? '')).status).toBe(200);
  });

  it('goes on when the coordinator is killed before it told anybody', async () => {
    await start();
    const migration = await bed.migrating('web1', 'h1', 'h2');
    const isTold = Promise.withResolvers<void>();
    bed.agent('h1').before = (name) => {
      if (name !== 'migration.cancel') return;
      isTold.resolve();
      return new Promise<void>(() => {});
    };
    await cancel(migration.operation);
    await isTold.promise;
    await bed.killCoordinator();
    obeyCancel(migration);
    await bed.startCoordinator();
    const ended = await bed.ended(migration.operation);
    expect(ended).toMatchObject({ problem: { code: 'operation.cancelled' } });
    await bed.vmIs('web1', ({ state, host }) => state === 'running' && host === 'h1', 'runs on');
  });

  it('loses against a commit that came first', async () => {
    await start();
    const migration = await bed.migrating('web1', 'h1', 'h2');
    bed.agent('h1').before = (name) => (name === 'migration.cancel' ? migration.commit() : undefined);
    expect((await cancel(migration.operation)).status).toBe(200);
    const ended = await bed.succeeded(migration.operation);
    expect(ended.timeline.map(({ name }) => name)).toEqual(
      expect.arrayContaining(['cancel asked', 'committed']),
    );
    await bed.vmIs('web1', ({ state, host }) => state === 'running' && host === 'h2', 'runs on h2');
  });

  it('is refused after the commit, also when it has ended', async () => {
    await start();
    const migration = await bed.migrating('web1', 'h1', 'h2');
    await migration.pass();
    await bed.until('the commit is seen', async () =>
      (await bed.operation(migration.operation)).timeline.some(({ name }) => name === 'committed'),
    );
    const refused = { status: 409, body: { code: 'operation.not-cancellable' } };
    const answer = await cancel(migration.operation);
    expect(answer).toMatchObject(refused);
    expect(answer.body.message).toContain('past its commit: web1 runs on h2');
    migration.tell('source', 'committed');
    await bed.succeeded(migration.operation);
    expect(await cancel(migration.operation)).toMatchObject(refused);
    expect(await asked()).toEqual([]);
  });

  it('is refused for other operations, and for one that is not there', async () => {
    await start();
    bed.agent('h1').before = (name) => (name === 'vm.stop' ? new Promise<void>(() => {}) : undefined);
    const { operation } = await bed.change('POST', '/v1/vms/web1/stop');
    const answer = await cancel(operation ?? '');
    expect(answer).toMatchObject({ status: 409, body: { code: 'operation.not-cancellable' } });
    expect(answer.body.message).toContain('vm-stop');
    expect(await cancel('op-0123456789abcdef')).toMatchObject({
      status: 404,
      body: { code: 'operation.not-found' },
    });
    expect((await cancel('nonsense')).status).toBe(400);
  });
});

describe('a migration is refused', () => {
  const migrate = (host: string): Promise<Answer> => bed.ask('POST', '/v1/vms/web1/migrate', { host });

  it('while the VM is migrated already, also while that one waits', async () => {
    await start({ migrationsPerHostMax: 1 });
    await bed.running('web2', 'h1');
    await bed.migrating('web2', 'h1', 'h3');
    await bed.change('POST', '/v1/vms/web1/migrate', { host: 'h2' });
    const answer = await migrate('h3');
    expect(answer).toMatchObject({ status: 409, body: { code: 'vm.busy' } });
    expect(answer.body.message).toMatch(/web1 is busy with vm-migrate op-[0-9a-f]{16}: .*or cancel it/);
    const other = await bed.ask('POST', '/v1/vms/web2/migrate', { host: 'h2' });
    expect(other).toMatchObject({ status: 409, body: { code: 'vm.busy' } });
  });

  it('while the VM is starting, or being restarted', async () => {
    await start();
    const busy = (kind: string) => ({ status: 409, body: { code: 'vm.busy', details: { kind } } });
    const never = (): Promise<void> => new Promise(() => {});
    bed.agent('h2').before = (name) => (name === 'vm.start' ? never() : undefined);
    await bed.create('web2', { host: 'h2' });
    expect(await bed.ask('POST', '/v1/vms/web2/migrate', {})).toMatchObject(busy('vm-start'));
    bed.agent('h3').before = (name) => (name === 'vm.start' ? never() : undefined);
    bed.agent('h1').kill();
    await bed.until('it is being restarted', async () =>
      (await bed.operations()).some(({ kind, vmName }) => kind === 'vm-restart' && vmName === 'web1'),
    );
    expect(await migrate('h2')).toMatchObject(busy('vm-restart'));
  });

  it('while the VM is stopping, and when it is off', async () => {
    await start();
    const held = Promise.withResolvers<void>();
    bed.agent('h1').before = (name) => (name === 'vm.stop' ? held.promise : undefined);
    const { operation } = await bed.change('POST', '/v1/vms/web1/stop');
    expect(await migrate('h2')).toMatchObject({
      status: 409,
      body: { code: 'vm.busy', details: { kind: 'vm-stop' } },
    });
    held.resolve();
    await bed.succeeded(operation);
    expect(await migrate('h2')).toMatchObject({ status: 409, body: { code: 'vm.wrong-state' } });
  });

  it('while pages of the VM are still at the host that it came from', async () => {
    await start();
    const vm = bed.agent('h1').vmNamed('web1');
    if (vm === undefined) throw new Error('h1 has no web1');
    vm.missingPages = 7;
    vm.state = 'frozen';
    bed.agent('h1').changed();
    await bed.vmIs('web1', ({ state }) => state === 'frozen', 'was reported since');
    vm.state = 'running';
    bed.agent('h1').changed();
    await bed.vmIs('web1', ({ state }) => state === 'running', 'runs');
    const answer = await migrate('h2');
    expect(answer.status).toBe(409);
    expect(answer.body).toMatchObject({ code: 'vm.busy', details: { missingPages: 7 } });
    expect(answer.body.message).toContain('7 pages of web1 have not arrived on h1 yet');
  });

  it('to where the VM is, to a host that is full, and to one without the network', async () => {
    await start();
    bed.addAgent('h4', { hasMigration: false });
    await bed.hostIs('h4', 'connected');
    await bed.create('big', { host: 'h2', memoryMib: 960 });
    expect(await migrate('h1')).toMatchObject({ status: 409, body: { code: 'migration.same-host' } });
    const full = await migrate('h2');
    expect(full).toMatchObject({ status: 409, body: { code: 'placement.no-host' } });
    expect(full.body.message).toContain('h2 has 64 MiB free of 128 needed');
    expect(await migrate('h4')).toMatchObject({ status: 409, body: { code: 'migration.no-network' } });
  });

  it('by the target, which knows best what it has left', async () => {
    await start();
    bed.agent('h2').before = (name) => {
      if (name === 'migration.target')
        throw new OperationError({ code: 'host.out-of-memory', message: 'h2 has 3 MiB left' });
    };
    const { operation } = await bed.change('POST', '/v1/vms/web1/migrate', { host: 'h2' });
    const ended = await bed.ended(operation);
    expect(ended).toMatchObject({ state: 'failed', problem: { code: 'host.out-of-memory' } });
    expect(ended.problem?.message).toContain('h2 has 3 MiB left');
  });
});
