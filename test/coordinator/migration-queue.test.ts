import { OperationError, type OperationView } from '@skein/shared';
import { afterEach, describe, expect, it } from 'vitest';
import { CoordinatorBed } from './coordinator-bed.ts';
import { ScriptedMigration } from './scripted-migration.ts';

let bed: CoordinatorBed;
afterEach(() => bed.close());

const hosts = ['h1', 'h2', 'h3', 'h4'];

async function start(vms: readonly string[], more: Readonly<Record<string, unknown>> = {}): Promise<void> {
  bed = await CoordinatorBed.start(hosts, more);
  for (const vm of vms) {
    const [name = '', host = ''] = vm.split('@');
    await bed.running(name, host);
  }
}

async function ask(name: string, to: string): Promise<string> {
  const { operation } = await bed.change('POST', `/v1/vms/${name}/migrate`, { host: to });
  return operation ?? '';
}

const wasTold = (host: string, operation: string): boolean =>
  bed.agent(host).effects.some((one) => one.name === 'migration.target' && one.operation === operation);

/** Both sides know of it: it runs. */
async function begun(operation: string, to: string): Promise<void> {
  await bed.until(`${operation} has begun`, () => wasTold(to, operation));
}

function waiting(operation: string, text: string): Promise<OperationView> {
  return bed.until(`${operation} waits: ${text}`, async () => {
    const view = await bed.operation(operation);
    return view.waiting === text ? view : null;
  });
}

async function commit(operation: string, name: string, from: string, to: string): Promise<void> {
  await new ScriptedMigration(operation, bed.agent(from), bed.agent(to), name).commit();
  await bed.succeeded(operation);
}

describe('migrations beyond the limits', () => {
  it('wait with their place and what stands in the way, and begin in the order asked for', async () => {
    await start(['a@h1', 'b@h1', 'c@h1', 'd@h1']);
    const [a, b] = [await ask('a', 'h2'), await ask('b', 'h3')];
    await begun(a, 'h2');
    await begun(b, 'h3');
    const [c, d] = [await ask('c', 'h2'), await ask('d', 'h2')];
    const both = 'place 2 of 2; h1 has 2 migrations; h2 has 1 migration, and c asked before';
    const second = await waiting(d, both);
    expect(second).toMatchObject({ state: 'pending', host: 'h1', targetHost: 'h2', endedAtMs: null });
    expect(await bed.operation(c)).toMatchObject({ waiting: 'place 1 of 2; h1 has 2 migrations' });
    expect(await bed.vm('c')).toMatchObject({ state: 'running', host: 'h1', operation: c });
    expect([wasTold('h2', c), wasTold('h2', d)]).toEqual([false, false]);
    await commit(a, 'a', 'h1', 'h2');
    await begun(c, 'h2');
    await waiting(d, 'place 1 of 1; h1 has 2 migrations');
    expect(wasTold('h2', d)).toBe(false);
    await commit(b, 'b', 'h1', 'h3');
    await begun(d, 'h2');
    const { timeline, waiting: reason } = await bed.operation(d);
    expect(timeline.map(({ name }) => name).slice(0, 3)).toEqual(['intent', 'queued', 'turn']);
    expect(reason).toBeNull();
  });

  it('let one go first that takes nothing they wait for', async () => {
    await start(['a@h1', 'b@h1', 'c@h1', 'd@h3']);
    await begun(await ask('a', 'h2'), 'h2');
    await begun(await ask('b', 'h2'), 'h2');
    const c = await ask('c', 'h3');
    await waiting(c, 'place 1 of 1; h1 has 2 migrations');
    await begun(await ask('d', 'h4'), 'h4');
    expect(wasTold('h3', c)).toBe(false);
  });

  it('wait for the cluster too, as many as its configuration says', async () => {
    await start(['a@h1', 'b@h3'], { migrationsPerHostMax: 1, migrationsPerClusterMax: 1 });
    const a = await ask('a', 'h2');
    await begun(a, 'h2');
    const b = await ask('b', 'h4');
    await waiting(b, 'place 1 of 1; the cluster has 1 migration');
    await commit(a, 'a', 'h1', 'h2');
    await begun(b, 'h4');
  });

  it('keep their order when the coordinator is killed and comes back', async () => {
    await start(['a@h1', 'b@h1', 'c@h1'], { migrationsPerHostMax: 1 });
    const a = await ask('a', 'h2');
    await begun(a, 'h2');
    const [b, c] = [await ask('b', 'h3'), await ask('c', 'h4')];
    await waiting(c, 'place 2 of 2; h1 has 1 migration');
    await bed.killCoordinator();
    await bed.startCoordinator();
    await waiting(b, 'place 1 of 2; h1 has 1 migration');
    await waiting(c, 'place 2 of 2; h1 has 1 migration');
    await commit(a, 'a', 'h1', 'h2');
    await begun(b, 'h3');
    expect(wasTold('h4', c)).toBe(false);
    await commit(b, 'b', 'h1', 'h3');
    await begun(c, 'h4');
  });
});

describe('a migration that waits', () => {
  it('has its memory reserved at the target, so that nothing else is placed there', async () => {
    await start(['a@h1', 'b@h1'], { migrationsPerHostMax: 1 });
    await begun(await ask('a', 'h3'), 'h3');
    await ask('b', 'h2');
    const full = await bed.ask('POST', '/v1/vms', {
      name: 'big',
      image: '0'.repeat(64),
      memoryMib: 1024,
      host: 'h2',
    });
    expect(full).toMatchObject({ status: 409, body: { code: 'placement.no-host' } });
    expect(full.body.message).toContain('h2 has 896 MiB free of 1024 needed');
  });

  it('is refused with the reason when its target has no room any more at its turn', async () => {
    await start(['a@h1', 'b@h1'], { migrationsPerHostMax: 1 });
    const a = await ask('a', 'h3');
    await begun(a, 'h3');
    const b = await ask('b', 'h2');
    await waiting(b, 'place 1 of 1; h1 has 1 migration');
    bed.agent('h2').before = (name) => {
      if (name === 'migration.target')
        throw new OperationError({ code: 'host.out-of-memory', message: 'h2 has no memory left' });
    };
    await commit(a, 'a', 'h1', 'h3');
    const ended = await bed.ended(b);
    expect(ended).toMatchObject({ state: 'failed', problem: { code: 'host.out-of-memory' } });
    expect(ended.problem?.message).toContain('h2 has no memory left');
    await bed.vmIs('b', ({ state, host }) => state === 'running' && host === 'h1', 'runs on');
  });

  it('fails when its target has failed meanwhile; the guest runs on', async () => {
    await start(['a@h1', 'b@h1'], { migrationsPerHostMax: 1 });
    const a = await ask('a', 'h3');
    await begun(a, 'h3');
    const b = await ask('b', 'h2');
    await waiting(b, 'place 1 of 1; h1 has 1 migration');
    bed.agent('h2').kill();
    await bed.hostIs('h2', 'failed');
    await commit(a, 'a', 'h1', 'h3');
    const ended = await bed.ended(b);
    expect(ended).toMatchObject({ state: 'failed', problem: { code: 'placement.no-host' } });
    expect(ended.problem?.message).toContain('h2 has failed');
    expect(bed.agent('h1').count('migration.source')).toBe(1);
    expect(await bed.vm('b')).toMatchObject({ state: 'running', host: 'h1', epoch: 1 });
  });

  it('ends when its source fails, and the guest is started elsewhere', async () => {
    await start(['a@h1', 'b@h2'], { migrationsPerClusterMax: 1 });
    await begun(await ask('a', 'h3'), 'h3');
    const b = await ask('b', 'h4');
    await waiting(b, 'place 1 of 1; the cluster has 1 migration');
    bed.agent('h2').kill();
    const ended = await bed.ended(b);
    expect(ended).toMatchObject({ state: 'failed', problem: { code: 'migration.aborted' } });
    expect(ended.problem?.message).toContain('h2 failed');
    await bed.vmIs('b', ({ state, host }) => state === 'running' && host !== 'h2', 'runs elsewhere');
    expect((await bed.vm('b')).epoch).toBe(2);
  });

  it('ends when its guest switches itself off', async () => {
    await start(['a@h1', 'b@h1'], { migrationsPerHostMax: 1 });
    await begun(await ask('a', 'h3'), 'h3');
    const b = await ask('b', 'h2');
    const vm = bed.agent('h1').vmNamed('b');
    if (vm === undefined) throw new Error('h1 has no b');
    bed.agent('h1').end(vm, 'stopped', 'the guest: power off');
    expect(await bed.ended(b)).toMatchObject({ state: 'failed', problem: { code: 'vm.wrong-state' } });
    await bed.vmIs('b', ({ state }) => state === 'stopped', 'is off');
  });
});
