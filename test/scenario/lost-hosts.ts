/**
 * Networks between hosts that are lost, slow, or gone in the middle of a migration: the same on every bed that has
 * networks. There are three hosts, h1 to h3, and guests.
 */
import type { ClusterEvent, OperationView, VmView } from '@skein/shared';
import { beforeEach, describe, expect, it } from 'vitest';
import { eventually } from '../support/eventually.ts';
import type { SkeinCluster } from '../support/skein-cluster.ts';

export function itKnowsWhoLostWhom(cluster: SkeinCluster): void {
  const { events, hosts, vms } = cluster;
  const skein = (...words: string[]): Promise<string> => cluster.skein(...words);
  const find = (vm: string): Promise<VmView> => cluster.vm(vm);

  async function eventsSince(sequence: number, type: RegExp): Promise<ClusterEvent[]> {
    return (await events()).filter((event) => event.sequence > sequence && type.test(event.type));
  }

  const lastEvent = async (): Promise<number> => (await events()).at(-1)?.sequence ?? 0;

  /** `h1`: `h2 migration`, ... */
  async function lostBy(host: string): Promise<string[]> {
    const found = (await hosts()).find(({ name }) => name === host);
    return (found?.lostPeers ?? []).map((peer) => `${peer.host} ${peer.network}`).sort();
  }

  const nobodyLost = () =>
    eventually(
      'nobody has lost anybody',
      async () =>
        (await hosts()).every(({ lostPeers, state }) => lostPeers.length === 0 && state === 'connected'),
      120_000,
    );

  /** Puts the first guest on h1. */
  async function guestOn(host: string): Promise<string> {
    await eventually('all guests run', async () =>
      (await vms()).every(({ state, readyMs }) => state === 'running' && readyMs !== null),
    );
    const there = (await vms()).find((vm) => vm.host === host);
    if (there !== undefined) return there.name;
    await skein('vm', 'migrate', 'web1', '--to', host);
    return 'web1';
  }

  /** Its failure as `skein` says it. */
  async function refusal(...args: string[]): Promise<{ exitCode: number; text: string }> {
    try {
      await skein(...args);
    } catch (error) {
      const { code, stderr } = error as { code: number; stderr: string };
      return { exitCode: code, text: stderr };
    }
    throw new Error(`skein ${args.join(' ')} was not refused`);
  }

  async function operation(id: string): Promise<OperationView> {
    return JSON.parse(await skein('get', 'operation', id, '--output', 'json')) as OperationView;
  }

  // One failure is not to be found again in all that follows.
  const mendAfterFailure = (): void =>
    beforeEach(({ onTestFailed }) =>
      onTestFailed(async () => {
        await skein('fault', 'heal');
        for (const host of ['h1', 'h2']) await skein('link', 'reset', host);
      }),
    );

  describe('two hosts that lose each other, and nobody else', () => {
    mendAfterFailure();

    it('are marked, refused a migration between them, gone round, and found again; nothing fails over', async () => {
      // Of whatever happened before nothing is to be told any more.
      await nobodyLost();
      const vm = await guestOn('h1');
      const before = await find(vm);
      const last = await lastEvent();
      await skein('fault', 'partition', 'h1', 'h2');
      await eventually('the pair is marked', async () => (await lostBy('h1')).length === 2);
      expect(await lostBy('h1')).toEqual(['h2 guest-a', 'h2 migration']);
      expect(await lostBy('h2')).toEqual(['h1 guest-a', 'h1 migration']);
      expect(await lostBy('h3')).toEqual([]);
      const refused = await refusal('vm', 'migrate', vm, '--to', 'h2');
      expect(refused.exitCode).toBe(4);
      expect(refused.text).toMatch(
        /h1 and h2 have lost each other on the migration network \(neither hears the other\)/,
      );
      expect(await skein('get', 'host', 'h1')).toMatch(/has lost h2/);
      await skein('vm', 'migrate', vm);
      expect(await find(vm)).toMatchObject({ host: 'h3', epoch: (before.epoch ?? 0) + 1 });
      await skein('vm', 'migrate', vm, '--to', 'h2');
      await skein('fault', 'heal');
      await nobodyLost();
      await skein('vm', 'migrate', vm, '--to', 'h1');
      expect(await eventsSince(last, /^host\.(suspect|isolated|failed)$/)).toEqual([]);
      const types = (await eventsSince(last, /^host\.pair/)).map(
        ({ type, details }) => `${type} ${details.network}`,
      );
      expect(types.sort()).toEqual([
        'host.pair-lost guest-a',
        'host.pair-lost migration',
        'host.pair-restored guest-a',
        'host.pair-restored migration',
      ]);
    });
  });

  describe('the migration network of one host', () => {
    mendAfterFailure();

    it('that is cut: nothing is migrated from or to it, with the reason, and no pair is blamed', async () => {
      await nobodyLost();
      const vm = await guestOn('h1');
      const last = await lastEvent();
      await skein('fault', 'cut', 'h2', 'migration');
      await eventually('link down', async () => (await eventsSince(last, /^host\.link-down$/)).length > 0);
      const to = await refusal('vm', 'migrate', vm, '--to', 'h2');
      expect(to).toMatchObject({ exitCode: 4 });
      expect(to.text).toMatch(/h2 has no address on the migration network: its link is down/);
      await skein('vm', 'migrate', vm);
      expect(await find(vm)).toMatchObject({ host: 'h3', state: 'running' });
      const stranded = (await vms()).find(({ host }) => host === 'h2');
      if (stranded !== undefined)
        expect((await refusal('vm', 'migrate', stranded.name)).text).toMatch(
          /h2 has no address on the migration network/,
        );
      await skein('fault', 'heal', 'h2');
      await eventually('link up', async () => (await eventsSince(last, /^host\.link-up$/)).length > 0);
      await nobodyLost();
      expect(await eventsSince(last, /^host\.(pair-lost|suspect)$/)).toEqual([]);
    });

    it.each([
      ['is cut', ['cut', 'h1', 'migration']],
      ['no longer reaches the target', ['partition', 'h1', 'h2', '--network', 'migration']],
    ])('that %s in mid-migration: the source runs on, and the reason is told', async (_, fault) => {
      const vm = await guestOn('h1');
      const { epoch } = await find(vm);
      // Slow enough to be in the middle of it: some 25 MiB of memory that is not zero.
      await skein('link', 'set', 'h1', 'migration', '--rate', '4mbit');
      const id = (await skein('vm', 'migrate', vm, '--to', 'h2', '--no-wait')).trim();
      await eventually('it is under way', async () => {
        const { timeline } = await operation(id);
        return timeline.some(({ name }) => name === 'target ready');
      });
      await new Promise((done) => setTimeout(done, 1500));
      await skein('fault', ...fault);
      const ended = await eventually('it has ended', async () => {
        const found = await operation(id);
        return found.endedAtMs === null ? false : found;
      });
      expect(ended).toMatchObject({ state: 'failed', problem: { code: 'migration.aborted' } });
      expect(ended.problem?.message).toMatch(
        /runs on at h1.*(h1 lost its migration network|has not heard h[12] on the migration network)/,
      );
      expect(await find(vm)).toMatchObject({ host: 'h1', state: 'running', epoch });
      await skein('fault', 'heal');
      await skein('link', 'reset', 'h1');
      await nobodyLost();
      await skein('vm', 'migrate', vm, '--to', 'h2');
      expect(await find(vm)).toMatchObject({ host: 'h2', epoch: (epoch ?? 0) + 1 });
    });

    it('that is shaped to 25mbit and full of pages is slow, and nobody is lost', async () => {
      const vm = await guestOn('h1');
      const last = await lastEvent();
      for (const host of ['h1', 'h2']) await skein('link', 'set', host, 'migration', '--rate', '25mbit');
      await skein('vm', 'migrate', vm, '--to', 'h2');
      for (const host of ['h1', 'h2']) await skein('link', 'reset', host);
      expect(await find(vm)).toMatchObject({ host: 'h2' });
      expect(await eventsSince(last, /^host\.(pair-lost|suspect)$/)).toEqual([]);
    });
  });

  describe('a host whose management network was away', () => {
    it('tells afterwards what it lost and when', async () => {
      const last = await lastEvent();
      await skein('fault', 'cut', 'h3', 'management');
      await eventually('it is isolated or has failed', async () => {
        return (await eventsSince(last, /^host\.(isolated|failed)$/)).length > 0;
      });
      expect(await eventsSince(last, /^host\.link-down$/)).toEqual([]);
      await skein('fault', 'heal', 'h3');
      const told = await eventually('it has told', async () => {
        const found = await eventsSince(last, /^host\.link-(down|up)$/);
        return found.length === 2 && found;
      });
      expect(told.map(({ type, subject, details }) => [type, subject, details.network])).toEqual([
        ['host.link-down', 'host/h3', 'management'],
        ['host.link-up', 'host/h3', 'management'],
      ]);
      expect(told[0]?.message).toMatch(/that was \d+\.\d s ago, and could not be told before/);
      expect(Number(told[0]?.details.happenedAtMs)).toBeLessThan(Number(told[1]?.details.happenedAtMs));
    });
  });
}
