/** Live migration between two real agents with a real guest, through what can go wrong on the way. */
import { connect, createServer, type Server, type Socket } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ticksIn } from '../bench/migration/tick-gaps.ts';
import type { AgentBed, BedVm } from '../support/agent-bed.ts';
import { BedGuest } from '../support/bed-guest.ts';
import { until } from '../support/until.ts';

let guest: BedGuest;
let bed: AgentBed;
let vm: BedVm;

beforeAll(async () => {
  guest = await BedGuest.start();
  ({ bed, vm } = guest);
});
afterAll(() => bed.close());

describe('a live migration', () => {
  it('moves a counting guest, which misses no number, and both hosts agree on every byte', async () => {
    bed.type(vm, 'ticker &\n');
    await until('the ticker counts', () => ticks().length > 200);
    const record = await bed.migrate(vm, guest.otherHost);
    expect(record.stateHashTarget).toBe(record.stateHashSource);
    expect(record.stateHashSourceFull).toBe(record.stateHashSource);
    expect(record.rounds.length).toBeGreaterThanOrEqual(2);
    expect(record.ahead?.allocatedPages).toBeGreaterThan(0);
    const wholePages = record.pages - record.freePages - record.zeroPages - record.deltaPages;
    expect(record.uncompressedBytes).toBeGreaterThan(wholePages * 4096);
    const moved = ticks().at(-1) ?? 0;
    await until('the ticker goes on', () => (ticks().at(-1) ?? 0) > moved + 200);
    const numbers = ticks();
    const from = numbers[0] ?? 0;
    expect(numbers).toEqual(numbers.map((_, index) => from + index));
    // Slow enough for the source to tell which code is in use; where pages wait for a link no memory is asked for ahead.
    const slow = await bed.migrate(vm, guest.otherHost, { bandwidthCapBytesPerS: 200e6 });
    expect(slow.ahead?.decodedPages).toBeGreaterThan(0);
    expect(slow.ahead?.allocatedPages).toBe(0);
    // The shell tells of an ended job when it next looks, which may be long after.
    await guest.run('killall ticker; wait $!; echo ended $((40 + 2))', /^ended 42/m);
    await guest.expectAlive();
  });

  it('is done by workers that have rehearsed one', () => {
    for (const { log } of bed.agents.values()) expect(log()).not.toMatch(/could not rehearse/);
  });

  it('moves a sleeping guest, which wakes in time', async () => {
    bed.type(vm, 'sleep 4; echo woke $((20 + 22))\n');
    await until('the shell has read the command', () => bed.console(vm).trimEnd().endsWith('22))'));
    await bed.migrate(vm, guest.otherHost);
    expect(bed.console(vm)).not.toMatch(/^woke 42/m);
    await until('the guest wakes', () => /^woke 42/m.test(bed.console(vm)), 15_000);
  });

  it('has code decoded also for a guest that slept when it began', async () => {
    bed.type(vm, 'for i in 1 2 3 4 5 6; do sleep 0.5; done; echo slept $((20 + 22))\n');
    await until('the shell has read the command', () => bed.console(vm).trimEnd().endsWith('22))'));
    const record = await bed.migrate(vm, guest.otherHost, {
      bandwidthCapBytesPerS: 25e6,
      compression: 'never',
    });
    expect(record.ahead?.decodedPages).toBeGreaterThan(0);
    await until('the guest has slept', () => /^slept 42/m.test(bed.console(vm)), 15_000);
  });

  it('is refused when one byte of a page is flipped on the wire, and the source runs on', async () => {
    const from = vm.host;
    let hasFlipped = false;
    const relay = new Relay((chunk, passedBytes) => {
      if (hasFlipped || passedBytes + chunk.length <= 3_000_000) return true;
      hasFlipped = true;
      chunk[chunk.length - 1] = (chunk.at(-1) ?? 0) ^ 0x10;
      return true;
    });
    // Of compressed pages another sentence would be said.
    const operation = await bed.beginMigration(vm, guest.otherHost, (source) => relay.open(source), {
      compression: 'never',
    });
    const [source, target] = await Promise.all([
      bed.recordOf(operation, 'source'),
      bed.recordOf(operation, 'target'),
    ]);
    relay.close();
    expect(hasFlipped).toBe(true);
    expect(source.outcome).toBe('aborted');
    expect(target.outcome).toBe('aborted');
    expect(target.reason).toMatch(/is not what the source sent/);
    await guest.expectAlive();
    expect(bed.report(from, vm)).toMatchObject({ state: 'running', epoch: vm.epoch });
    await bed.migrate(vm, guest.otherHost);
    await guest.expectAlive();
  });

  it('leaves the guest at the source when the target is killed in the middle', async () => {
    const target = guest.otherHost;
    const operation = await beginAndWaitForRound();
    const killedAtMs = performance.now();
    bed.agent(target).kill('SIGKILL');
    const record = await bed.recordOf(operation, 'source');
    expect(record).toMatchObject({ outcome: 'aborted' });
    await guest.expectAlive();
    await bed.startAgent(target, target === 'h1' ? 0 : 1);
    // A start of two seconds is a silence, and a migration is refused until it is over.
    await bed.hearsAgain(vm.host, killedAtMs);
    await bed.migrate(vm, target);
    await guest.expectAlive();
  });

  it('is given up with the reason when the two hosts lose each other in the middle, and refused until they find each other', async () => {
    const from = vm.host;
    const target = guest.otherHost;
    const relay = new Relay((_, passedBytes) => passedBytes < 3_000_000);
    const operation = await bed.beginMigration(vm, target, (source) => relay.open(source));
    bed.hide('h2', 'migration');
    const records = await Promise.all([bed.recordOf(operation, 'source'), bed.recordOf(operation, 'target')]);
    relay.close();
    for (const { outcome } of records) expect(outcome).toBe('aborted');
    expect(records.map(({ reason }) => reason).join()).toMatch(
      /h[12] has not heard h[12] on the migration network for \d+ ms/,
    );
    await guest.expectAlive();
    expect(bed.report(from, vm)).toMatchObject({ state: 'running', epoch: vm.epoch });
    await until('both say so', () =>
      ['h1', 'h2'].every(
        (host) => bed.silentPeersOf(host).join() === `${host === 'h1' ? 'h2' : 'h1'} migration`,
      ),
    );
    await expect(bed.beginMigration(vm, target)).rejects.toMatchObject({ code: 'migration.partitioned' });
    bed.hide('h2', null);
    await until('they hear each other', () =>
      ['h1', 'h2'].every((host) => bed.silentPeersOf(host).length === 0),
    );
    await bed.migrate(vm, target);
    await guest.expectAlive();
  });

  it('ends as one running guest when the storage service is killed in the middle and comes back', async () => {
    const operation = await beginAndWaitForRound();
    bed.storage.kill('SIGKILL');
    await bed.storage.ended;
    await bed.startStorage();
    const record = await bed.recordOf(operation, 'source');
    if (record.outcome === 'committed') await bed.adopt(vm, record.to, record.epochAfter);
    await until('the guest runs', () => bed.report(vm.host, vm)?.state === 'running');
    vm.epoch = bed.report(vm.host, vm)?.epoch ?? vm.epoch;
    await guest.expectAlive();
    const elsewhere = bed.report(guest.otherHost, vm);
    expect(elsewhere === undefined || elsewhere.state === 'stopped').toBe(true);
  });

  it('leaves nothing at the target when the source is killed in the middle: the lease is not the target’s', async () => {
    const from = vm.host;
    const operation = await beginAndWaitForRound();
    bed.agent(from).kill('SIGKILL');
    const record = await bed.recordOf(operation, 'target');
    expect(record).toMatchObject({ outcome: 'aborted' });
    await until('the target has stopped it', () => {
      const report = bed.report(guest.otherHost, vm);
      return report === undefined || report.state === 'stopped';
    });
  });
});

async function beginAndWaitForRound(): Promise<string> {
  const seen = bed.progress.length;
  // Keeps the rounds going for long enough to be in the middle of them.
  bed.type(vm, 'dirtier 64 20000 page &\n');
  await until('the dirtier runs', () => /dirtier: \d+ \d+/.test(bed.console(vm).slice(-300)));
  const operation = await bed.beginMigration(vm, guest.otherHost);
  await until('a round is over', () => bed.progress.length > seen);
  return operation;
}

/** Also behind the shell's prompt, which comes when it pleases. */
function ticks(): number[] {
  return ticksIn(bed.console(vm), 0).map(({ counter }) => counter);
}

/** Stands between source and target; `touch` sees, and may change, what the source sends. False: nothing passes any more. */
class Relay {
  #server: Server | null = null;
  readonly #touch: (chunk: Buffer, passedBytes: number) => boolean;

  constructor(touch: (chunk: Buffer, passedBytes: number) => boolean) {
    this.#touch = touch;
  }

  open(source: { address: string; port: number }): Promise<{ address: string; port: number }> {
    return new Promise((resolve) => {
      const server = createServer((target) => this.#join(source, target));
      this.#server = server;
      server.listen(0, source.address, () => {
        const bound = server.address();
        resolve({
          address: source.address,
          port: typeof bound === 'object' && bound !== null ? bound.port : 0,
        });
      });
    });
  }

  close(): void {
    this.#server?.close();
  }

  #join(source: { address: string; port: number }, target: Socket): void {
    let passed = 0;
    // The source admits its target by its proof, wherever the connection comes from.
    const upstream = connect({ host: source.address, port: source.port });
    upstream.on('data', (chunk: Buffer) => {
      if (this.#touch(chunk, passed)) target.write(chunk);
      else for (const end of [upstream, target]) end.pause();
      passed += chunk.length;
    });
    target.on('data', (chunk) => upstream.write(chunk));
    for (const [end, peer] of [
      [upstream, target],
      [target, upstream],
    ] as const) {
      end.on('close', () => peer.destroy());
      end.on('error', () => peer.destroy());
    }
  }
}
