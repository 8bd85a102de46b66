/** Real guests whose migrations are queued and cancelled, as people do it at the command line. */
import type { ChangeReply, OperationView } from '@skein/shared';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Cluster, type Console } from '../support/cluster.ts';

let cluster: Cluster;
let web1: Console;
let web2: Console;
let web3: Console;

beforeAll(async () => {
  cluster = await Cluster.start(2);
  web1 = await cluster.boot('web1', 'h1', '10.77.0.11');
  web2 = await cluster.boot('web2', 'h1', '10.77.0.12');
  web3 = await cluster.boot('web3', 'h1', '10.77.0.13');
});
afterAll(() => cluster.close());

/** A guest's memory does not get through that before the test is over. */
const slow = { bandwidthCapBytesPerS: 65_536 };

async function migrate(name: string, more: Readonly<Record<string, unknown>> = {}): Promise<string> {
  const reply = await cluster.api<ChangeReply>('POST', `/vms/${name}/migrate`, { host: 'h2', ...more });
  return reply.operation ?? '';
}

const until = (id: string, what: string, isSo: (operation: OperationView) => boolean) =>
  cluster.eventually(what, async () => {
    const operation = await cluster.operation(id);
    return isSo(operation) && operation;
  });

describe('a guest whose migration is cancelled', () => {
  it('goes on where it is; the target is free again, and who waited has its turn', async () => {
    const first = await migrate('web1', slow);
    const second = await migrate('web2', slow);
    for (const id of [first, second])
      await until(id, 'both hosts know', ({ timeline }) => timeline.at(-1)?.name === 'target ready');
    const third = await migrate('web3');
    const reason = 'place 1 of 1; h1 has 2 migrations; h2 has 2 migrations';
    await until(third, 'it waits', ({ waiting }) => waiting === reason);
    expect(await cluster.skein('get', 'operation')).toContain(`waiting: ${reason}`);

    expect(await cluster.skein('operation', 'cancel', first)).toBe(
      'vm/web1 stays on h1: its migration to h2 is cancelled\n',
    );
    const ended = await cluster.operation(first);
    expect(ended).toMatchObject({ state: 'failed', problem: { code: 'operation.cancelled' } });
    expect(ended.migration).toMatchObject({ outcome: 'aborted' });
    await web1.expectAlive();
    expect(await cluster.vm('web1')).toMatchObject({ state: 'running', host: 'h1', epoch: 1 });

    await until(third, 'the one that waited moved', ({ state }) => state === 'succeeded');
    await web3.expectAlive();
    expect(await cluster.vm('web3')).toMatchObject({ state: 'running', host: 'h2', epoch: 2 });

    await cluster.skein('operation', 'cancel', second);
    await web2.expectAlive();
    await cluster.eventually(
      'h2 has web3 alone',
      async () => (await cluster.host('h2')).usedMemoryMib === 128,
    );
    await until(await migrate('web1'), 'it moves when asked again', ({ state }) => state === 'succeeded');
    await web1.expectAlive();
  });

  it('after its commit stays where it is now, and the command is refused', async () => {
    const id = await migrate('web2');
    await until(id, 'it moved', ({ state }) => state === 'succeeded');
    await expect(cluster.skein('operation', 'cancel', id)).rejects.toMatchObject({ code: 4 });
    await web2.expectAlive();
    expect(await cluster.vm('web2')).toMatchObject({ host: 'h2', epoch: 2 });
  });
});
