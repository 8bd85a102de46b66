/** What a whole cluster does when its parts die, stop or come back. Real processes, broken by real signals. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Cluster, type Console } from '../support/cluster.ts';

let cluster: Cluster;
let web1: Console;
let web2: Console;

beforeAll(async () => {
  cluster = await Cluster.start(3);
  web1 = await cluster.boot('web1', 'h1', '10.77.0.11');
  web2 = await cluster.boot('web2', 'h2', '10.77.0.12');
});
afterAll(() => cluster.close());

/** web2 pings web1 so often; resolves with how many answers came. */
async function ping(count: number): Promise<number> {
  const from = web2.text.length;
  web2.type(`ping -c ${count} -i 0.1 -W 1 10.77.0.11\n`);
  const summary = await web2.until(/(\d+) packets received/, 60_000, from);
  return Number(summary[1]);
}

/** How many pings web2's kernel has taken in, whoever sent them. */
async function pingsTakenIn(): Promise<number> {
  const from = web2.text.length;
  web2.type('echo "tail $(grep ^Icmp: /proc/net/snmp | tail -n 1)"\n');
  // Of a whole line: a part of it has other values, or too few.
  // The values of Icmp stand in the order of the kernel's table: InMsgs, InErrors, InCsumErrors, ... InEchos is the 9th.
  const [, values = ''] = await web2.until(/^tail Icmp: ([\d ]+)\r?\n/m, 10_000, from);
  return Number(values.split(' ')[8]);
}

async function runsOn(vm: string): Promise<string> {
  return await cluster.eventually(`${vm} runs`, async () => {
    const { state, host } = await cluster.vm(vm);
    return state === 'running' && host !== null ? host : false;
  });
}

describe('a cluster', () => {
  it('lets guests on different hosts reach each other', async () => {
    expect(await ping(5)).toBe(5);
  });

  it('migrates a guest on request; the attached console follows and pings go on', async () => {
    const from = web2.text.length;
    web2.type('ping -c 40 -i 0.05 -W 1 10.77.0.11\n');
    await cluster.skein('vm', 'migrate', 'web1', '--to', 'h3');
    expect(await runsOn('web1')).toBe('h3');
    const summary = await web2.until(/(\d+) packets received/, 60_000, from);
    expect(Number(summary[1])).toBeGreaterThan(30);
    await web1.expectAlive();
  });

  it('goes on for 30 seconds without a coordinator while guests ping each other, and is as before when it is back', async () => {
    const typedAt = web2.text.length;
    web2.type('ping -c 60 -i 0.5 -W 1 10.77.0.11 > /tmp/pings; tail -2 /tmp/pings\n');
    // What the coordinator has not passed on dies with it.
    await web2.until(/tail -2 \/tmp\/pings\s/, 10_000, typedAt);
    await cluster.kill('coordinator');
    await new Promise((done) => setTimeout(done, 31_000));
    await cluster.restart('coordinator');
    await cluster.connected('h1', 'h2', 'h3');
    web2 = await cluster.console('web2');
    web1 = await cluster.console('web1');
    const summary = await web2.until(/60 packets transmitted, (\d+) packets received/, 60_000);
    expect(Number(summary[1])).toBeGreaterThanOrEqual(59);
    expect(await runsOn('web1')).toBe('h3');
    expect(await runsOn('web2')).toBe('h2');
    await web1.expectAlive();
  });

  it('ends a migration in one running guest when the coordinator is killed in the middle', async () => {
    const { operation } = await cluster.api<{ operation: string }>('POST', '/vms/web1/migrate', {
      host: 'h1',
    });
    await cluster.eventually(
      'it has begun',
      async () => (await cluster.operation(operation)).state === 'running',
    );
    await cluster.kill('coordinator');
    await cluster.restart('coordinator');
    const ended = await cluster.eventually('the operation ends', async () => {
      const view = await cluster.operation(operation);
      return view.state === 'succeeded' || view.state === 'failed' ? view : false;
    });
    const host = await runsOn('web1');
    expect(host).toBe(ended.state === 'succeeded' ? 'h1' : 'h3');
    web1 = await cluster.console('web1');
    web2 = await cluster.console('web2');
    await web1.expectAlive();
    await web2.expectAlive();
    expect(await ping(3)).toBe(3);
  });

  it('restarts the guests of a killed host elsewhere, once, and they answer again', async () => {
    const from = await runsOn('web1');
    const { epoch } = await cluster.vm('web1');
    await cluster.kill(from);
    const restarted = await cluster.eventually(
      'web1 runs elsewhere',
      async () => {
        const vm = await cluster.vm('web1');
        return vm.state === 'running' && vm.host !== from && vm.readyMs !== null ? vm : false;
      },
      60_000,
    );
    expect(restarted.epoch).toBe((epoch ?? 0) + 1);
    expect((await cluster.host(from)).state).toBe('failed');
    await cluster.eventually('web1 answers', async () => (await ping(1)) === 1);
    await cluster.restart(from);
    await cluster.connected('h1', 'h2', 'h3');
    expect((await cluster.vm('web1')).host).toBe(restarted.host);
  });

  it('takes over the guests of a stopped agent once; resumed, it is fenced and nothing of it is accepted', async () => {
    const from = await runsOn('web1');
    const { epoch } = await cluster.vm('web1');
    // At its full speed, so that rings and sockets are full of its output when it stands still.
    web1 = await cluster.console('web1');
    web1.type('ticker & ping -i 0.002 -s 1000 10.77.0.12 > /dev/null &\n');
    await web1.until(/^t 500 /m);
    const flood = await pingsTakenIn();
    await cluster.eventually('the pings arrive', async () => (await pingsTakenIn()) > flood + 100);
    cluster.signal(from, 'SIGSTOP');
    const taken = await cluster.eventually(
      'web1 runs elsewhere',
      async () => {
        const vm = await cluster.vm('web1');
        return vm.state === 'running' && vm.host !== from && vm.readyMs !== null ? vm : false;
      },
      60_000,
    );
    expect(taken.epoch).toBe((epoch ?? 0) + 1);
    const watcher = await cluster.console('web1');
    const [takenIn, printed] = [await pingsTakenIn(), watcher.text.length];
    cluster.signal(from, 'SIGCONT');
    await cluster.eventually(`${from} has discarded its copy`, async () => {
      const host = await cluster.host(from);
      return host.state === 'connected' && host.vms === 0;
    });
    await cluster.eventually('it says why', async () => /fenced/.test(cluster.log(from)));
    // Neither a frame nor a letter of the old copy; the new one is silent until it is asked.
    expect(await pingsTakenIn()).toBe(takenIn);
    expect(watcher.text.slice(printed)).not.toMatch(/^t \d+/m);
    expect((await cluster.vm('web1')).host).toBe(taken.host);
    expect((await cluster.vm('web1')).epoch).toBe(taken.epoch);
    await cluster.eventually('web1 answers', async () => (await ping(5)) === 5);
  });

  it('keeps a restart waiting, with its reason, while no host can take it, and does it when one can', async () => {
    const from = await runsOn('web1');
    const others = ['h1', 'h2', 'h3'].filter((host) => host !== from);
    const target = others.find((host) => host !== 'h2') ?? 'h1';
    // Fill every other host, so that nothing of web1's size fits anywhere.
    const { capacity, usedMemoryMib } = await cluster.host(target);
    await cluster.boot('filler1', target, '10.77.0.21', {
      memoryMib: capacity.memoryMib - usedMemoryMib - 32,
    });
    const h2 = await cluster.host('h2');
    await cluster.boot('filler2', 'h2', '10.77.0.22', {
      memoryMib: h2.capacity.memoryMib - h2.usedMemoryMib - 32,
    });
    await cluster.kill(from);
    const waiting = await cluster.eventually('web1 waits', async () => {
      const vm = await cluster.vm('web1');
      return vm.state === 'waiting' ? vm : false;
    });
    expect(waiting.reason).toMatch(/MiB/);
    await cluster.restart(from);
    await cluster.eventually(
      'web1 runs again',
      async () => (await cluster.vm('web1')).state === 'running',
      60_000,
    );
  });
});
