import { once } from 'node:events';
import type { Worker } from 'node:worker_threads';
import { afterEach, describe, expect, it } from 'vitest';
import { WarmWorkers } from './warm-workers.ts';

let workers: WarmWorkers;
const taken: Worker[] = [];

/** Real threads, with a program that waits for an assignment. */
function warm(spareCount: number, keptMax: number): void {
  workers = new WarmWorkers({
    entry: 'transfer.worker',
    spareCount,
    keptMax,
    rehearsal: () => null,
    onTrouble: (reason) => expect.fail(reason),
  });
}

function take(): Worker {
  const worker = workers.take();
  taken.push(worker);
  return worker;
}

afterEach(async () => {
  await workers.close();
  await Promise.all(taken.splice(0).map((worker) => worker.terminate()));
});

describe('workers that are started before they are needed', () => {
  it('are taken again once they were given back, before those that have done nothing yet', () => {
    warm(1, 2);
    const first = take();
    workers.refill();
    workers.giveBack(first);
    expect(take()).toBe(first);
  });

  it('are no more than shall be kept: the one that has done the least ends', async () => {
    warm(1, 2);
    const first = take();
    const second = take();
    workers.refill();
    const third = take();
    workers.refill();
    workers.giveBack(first);
    workers.giveBack(second);
    const ended = once(first, 'exit');
    workers.giveBack(third);
    await ended;
    expect([take(), take()]).toEqual([third, second]);
  });

  it('are replaced when one dies while it waits', async () => {
    warm(1, 1);
    const first = take();
    workers.giveBack(first);
    const ended = once(first, 'exit');
    await first.terminate();
    await ended;
    expect(take()).not.toBe(first);
  });

  it('say what they say to whoever took them, and to nobody before', async () => {
    warm(1, 1);
    const first = take();
    const heard: unknown[] = [];
    first.on('message', (message) => heard.push(message));
    workers.giveBack(first);
    const again = take();
    again.on('message', (message) => heard.push(message));
    // Not an assignment that it could serve: it says so, once.
    again.postMessage({ role: 'rehearsal' });
    await once(again, 'message');
    expect(heard).toHaveLength(1);
  });
});
