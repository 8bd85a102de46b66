/**
 * What a cluster of three hosts on seven networks does when hosts die or stand still, cables are cut, and the programs
 * in the middle stop: the same on every bed that has networks. web1 to web3 run in it with the addresses below. Order
 * and uniqueness are asserted, and that nothing happens which must not; never how fast.
 */
import { afterAll, beforeEach, describe, expect, it } from 'vitest';
import { ticksIn } from '../bench/migration/tick-gaps.ts';
import { eventually } from '../support/eventually.ts';
import type { SkeinCluster } from '../support/skein-cluster.ts';

const guests = ['web1', 'web2', 'web3'] as const;
type Guest = (typeof guests)[number];

/** Longer than any lease lasts, and what a coordinator waits beyond it (shared/src/config/timing.ts). */
const beyondLeasesMs = 5000;

export function addressOf(guest: string): string {
  return `10.77.0.1${guest.slice(-1)}`;
}

export function itSurvivesFaults(cluster: SkeinCluster): void {
  const placement = async (): Promise<Record<string, { host: string; epoch: number }>> =>
    Object.fromEntries(
      await Promise.all(guests.map(async (guest) => [guest, await cluster.placeOf(guest)] as const)),
    );

  /** How many of so many pings of one guest another answers. */
  async function answered(from: Guest, to: Guest, count = 3): Promise<number> {
    const printed = await cluster.shell(from).run(`ping -c ${count} -i 0.2 -W 1 ${addressOf(to)}`);
    return Number(/(\d+) packets received/.exec(printed)?.[1]);
  }

  async function expectAnswers(from: Guest, to: Guest): Promise<void> {
    await eventually(`${to} answers ${from}`, async () => (await answered(from, to, 1)) === 1);
  }

  async function takenOver(guest: Guest, before: { host: string; epoch: number }): Promise<void> {
    await eventually(`${guest} has left ${before.host}`, async () => {
      const { host, state } = await cluster.vm(guest);
      return state === 'running' && host !== null && host !== before.host;
    });
    expect((await cluster.placeOf(guest)).epoch).toBe(before.epoch + 1);
  }

  async function lastEvent(): Promise<number> {
    return (await cluster.events()).at(-1)?.sequence ?? 0;
  }

  async function typesSince(sequence: number): Promise<string[]> {
    return (await cluster.events()).filter((event) => event.sequence > sequence).map(({ type }) => type);
  }

  describe('a cluster of three hosts on seven networks', () => {
    // One guest a host again, whatever the test before has left.
    beforeEach(async () => {
      await cluster.connected();
      for (const [index, guest] of guests.entries()) {
        const host = `h${index + 1}`;
        if ((await cluster.placeOf(guest)).host !== host)
          await cluster.skein('vm', 'migrate', guest, '--to', host);
      }
    });
    afterAll(() => cluster.closeShells());

    it('shapes a cable in both directions, shows it, and takes all off again', async () => {
      const show = async (): Promise<unknown> =>
        JSON.parse(await cluster.skein('link', 'show', 'h1', 'migration', '--output', 'json'));
      await cluster.skein('link', 'set', 'h1', 'migration', '--rate', '100mbit', '--loss', '1%');
      expect(await show()).toMatchObject([{ rateBitPerS: 100e6, lossRatio: 0.01, isUp: true }]);
      await cluster.skein('link', 'set', 'h1', 'migration', '--loss', '2%');
      expect(await show()).toMatchObject([{ rateBitPerS: 100e6, lossRatio: 0.02 }]);
      await cluster.skein('link', 'reset', 'h1');
      expect(await show()).toMatchObject([{ rateBitPerS: null, lossRatio: null, isUp: true }]);
    });

    it('calls a host whose management cable is cut isolated: its guest runs on and answers', async () => {
      const before = await placement();
      await cluster.skein('fault', 'cut', 'h1', 'management');
      const isolated = await eventually('h1 is isolated', async () => {
        const host = await cluster.host('h1');
        return host.state === 'isolated' && host;
      });
      expect(isolated.reason).toMatch(/leases are renewed/);
      await expectAnswers('web2', 'web1');
      await cluster.skein('fault', 'heal', 'h1');
      await cluster.connected();
      expect(await placement()).toEqual(before);
      await cluster.shell('web1').run('true');
    });

    it('starts the guest of a killed host elsewhere, once, and its address answers again', async () => {
      const before = await cluster.placeOf('web1');
      await cluster.skein('fault', 'kill', 'h1');
      await takenOver('web1', before);
      await expectAnswers('web2', 'web1');
      await cluster.skein('fault', 'resume', 'h1');
      await cluster.connected();
      expect((await cluster.placeOf('web1')).epoch).toBe(before.epoch + 1);
    });

    it('takes over the guest of a host that stands still, once; resumed, the old copy is discarded', async () => {
      const before = await cluster.placeOf('web1');
      await cluster.skein('fault', 'pause', 'h1');
      await takenOver('web1', before);
      await expectAnswers('web2', 'web1');
      const after = await cluster.placeOf('web1');
      await cluster.skein('fault', 'resume', 'h1');
      await eventually('h1 has discarded its copy', async () => {
        const { state, vms } = await cluster.host('h1');
        return state === 'connected' && vms === 0;
      });
      expect(await cluster.placeOf('web1')).toEqual(after);
      await expectAnswers('web2', 'web1');
    });

    it('goes on without its coordinator for longer than any lease, and knows all again when it is back', async () => {
      const before = await placement();
      const pings = Math.ceil(beyondLeasesMs / 200) * 2;
      const shell = cluster.shell('web2');
      await shell.run(
        `(ping -c ${pings} -i 0.2 -W 1 ${addressOf('web1')} > /tmp/pings; touch /tmp/pinged) &`,
      );
      await cluster.skein('fault', 'kill', 'coordinator');
      await new Promise((done) => setTimeout(done, beyondLeasesMs));
      await cluster.skein('fault', 'resume', 'coordinator');
      await cluster.connected();
      expect(await placement()).toEqual(before);
      const again = cluster.shell('web2');
      const printed = await again.run(
        'while [ ! -e /tmp/pinged ]; do sleep 1; done; cat /tmp/pings; rm /tmp/pinged',
      );
      expect(Number(/(\d+) packets received/.exec(printed)?.[1])).toBeGreaterThanOrEqual(pings - 1);
    });

    it('freezes its guests while the storage service stands still, and they go on where they were', async () => {
      const before = await placement();
      const shell = cluster.shell('web1');
      const ticks = (): number[] => ticksIn(shell.text, 0).map(({ counter }) => counter);
      shell.type('ticker &\n');
      await eventually('the ticker runs', async () => ticks().length > 100);
      await cluster.skein('fault', 'pause', 'storage');
      await new Promise((done) => setTimeout(done, beyondLeasesMs));
      const frozenAt = ticks().length;
      await new Promise((done) => setTimeout(done, 1000));
      expect(ticks().length).toBe(frozenAt);
      await cluster.skein('fault', 'resume', 'storage');
      await eventually('the ticker goes on', async () => ticks().length > frozenAt + 100);
      // What is typed stands between the letters of what is printed.
      const numbers = ticks();
      await shell.run('killall ticker');
      expect(numbers).toEqual(numbers.map((_, index) => (numbers[0] ?? 0) + index));
      await cluster.connected();
      expect(await placement()).toEqual(before);
      await expectAnswers('web2', 'web1');
    });

    it('restarts nothing when two hosts lose each other alone', async () => {
      const [before, since] = [await placement(), await lastEvent()];
      await cluster.skein('fault', 'partition', 'h1', 'h2');
      expect(await answered('web1', 'web2')).toBe(0);
      await new Promise((done) => setTimeout(done, beyondLeasesMs));
      await expectAnswers('web3', 'web1');
      await expectAnswers('web3', 'web2');
      await cluster.skein('fault', 'heal');
      await expectAnswers('web1', 'web2');
      expect(await placement()).toEqual(before);
      const happened = await typesSince(since);
      for (const type of ['host.suspect', 'host.isolated', 'host.failed', 'operation.started'])
        expect(happened).not.toContain(type);
    });
  });
}
