import { type HostState, type NetworkKind, timingDefaults } from '@skein/shared';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  changedPairs,
  judgePairs,
  lossBetween,
  type Pair,
  type PairHost,
  pairMemoryMs,
  quietNeededMs,
  type SilenceReport,
} from './pairs.ts';

const timing = timingDefaults;
const { peerMeetMs, pairQuietMs } = timing;
const startMs = 1_000_000;

const host = (name: string, more: Partial<PairHost> = {}): PairHost => ({
  name,
  state: 'connected',
  connectedSinceMs: 0,
  networks: ['management', 'migration', 'guest-a'],
  ...more,
});
const hosts = [host('h1'), host('h2'), host('h3')];
const report = (by: string, of: string, network: NetworkKind = 'migration'): SilenceReport => ({
  by,
  of,
  network,
});

/** Judges each 100 ms, as the control loop does; `at` says what is so at a moment, counted from the start. */
function run(
  durationMs: number,
  at: (elapsedMs: number) => { hosts?: readonly PairHost[]; reports: readonly SilenceReport[] },
): { pairs: readonly Pair[]; changes: { elapsedMs: number; pair: Pair }[] } {
  let pairs: readonly Pair[] = [];
  const changes: { elapsedMs: number; pair: Pair }[] = [];
  for (let elapsedMs = 0; elapsedMs <= durationMs; elapsedMs += 100) {
    const { hosts: now = hosts, reports } = at(elapsedMs);
    const next = judgePairs(pairs, now, reports, startMs + elapsedMs, timing);
    for (const pair of changedPairs(pairs, next)) changes.push({ elapsedMs, pair });
    pairs = next;
  }
  return { pairs, changes };
}

describe('a pair of hosts', () => {
  it('[PAIR-1] is lost at once when one of the two does not hear the other, and says which', () => {
    const pairs = judgePairs([], hosts, [report('h3', 'h1')], startMs, timing);
    expect(pairs).toEqual([
      {
        hosts: ['h1', 'h3'],
        network: 'migration',
        isLost: true,
        sinceMs: startMs,
        reason: 'h3 does not hear h1',
        quietSinceMs: null,
        losses: 1,
      },
    ]);
    const both = judgePairs(pairs, hosts, [report('h3', 'h1'), report('h1', 'h3')], startMs + 100, timing);
    expect(both).toMatchObject([{ reason: 'neither hears the other', sinceMs: startMs, losses: 1 }]);
  });

  it('[PAIR-1] is lost on that network alone, and no other pair with it', () => {
    const pairs = judgePairs([], hosts, [report('h1', 'h3', 'guest-a')], startMs, timing);
    expect(lossBetween(pairs, 'h3', 'h1', 'guest-a')).not.toBeNull();
    expect(lossBetween(pairs, 'h1', 'h3', 'migration')).toBeNull();
    expect(lossBetween(pairs, 'h1', 'h2', 'guest-a')).toBeNull();
  });

  it.each<[string, Partial<PairHost>]>([
    ['suspect', { state: 'suspect', connectedSinceMs: null }],
    ['isolated', { state: 'isolated', connectedSinceMs: null }],
    ['failed', { state: 'failed', connectedSinceMs: null }],
    ['connected for a moment', { connectedSinceMs: startMs - peerMeetMs + 1 }],
    ['not on that network', { networks: ['management', 'guest-a'] }],
  ])('[PAIR-2] [PAIR-3] is not lost because one of them is %s, whoever says so', (_, more) => {
    for (const reports of [[report('h1', 'h2')], [report('h2', 'h1')]]) {
      expect(judgePairs([], [host('h1'), host('h2', more)], reports, startMs, timing)).toEqual([]);
    }
    expect(judgePairs([], [host('h1')], [report('h1', 'h2')], startMs, timing)).toEqual([]);
  });

  it('[PAIR-2] stays lost while one of them is away, and until both were back for a while', () => {
    const away = [host('h1'), host('h2', { state: 'isolated', connectedSinceMs: null })];
    const back = [host('h1'), host('h2', { connectedSinceMs: startMs + 2000 })];
    const { changes } = run(20_000, (ms) => ({
      hosts: ms >= 1000 && ms < 2000 ? away : ms < 1000 ? hosts : back,
      reports: ms < 1000 ? [report('h1', 'h2')] : [],
    }));
    expect(changes.map(({ pair, elapsedMs }) => [pair.isLost, elapsedMs])).toEqual([
      [true, 0],
      [false, 2000 + peerMeetMs + pairQuietMs],
    ]);
  });

  it('[PAIR-3] is forgotten without a word when one of them fails, or loses that network itself', () => {
    const lost = judgePairs([], hosts, [report('h1', 'h2')], startMs, timing);
    for (const more of [{ state: 'failed' as HostState }, { networks: [] }]) {
      const after = judgePairs(
        lost,
        [host('h1'), host('h2', more)],
        [report('h1', 'h2')],
        startMs + 100,
        timing,
      );
      expect(after).toEqual([]);
      expect(changedPairs(lost, after)).toEqual([]);
    }
  });

  it('[PAIR-4] is found again when nobody has complained for a while', () => {
    const { changes } = run(10_000, (ms) => ({ reports: ms < 3000 ? [report('h1', 'h2')] : [] }));
    expect(changes.map(({ pair, elapsedMs }) => [pair.isLost, elapsedMs])).toEqual([
      [true, 0],
      [false, 3000 + pairQuietMs],
    ]);
  });

  it('[PAIR-4] that flaps is lost and found a few times, not each time', () => {
    // Two seconds without hearing each other, three with, for ten minutes.
    const { changes, pairs } = run(600_000, (ms) => ({
      reports: ms % 5000 < 2000 ? [report('h1', 'h2')] : [],
    }));
    expect(changes.map(({ pair }) => pair.isLost)).toEqual([true, false, true]);
    expect(pairs[0]?.isLost).toBe(true);
  });

  it('[PAIR-4] is forgiven its losses after a while', () => {
    const { pairs } = run(pairMemoryMs + 10_000, (ms) => ({
      reports: ms < 1000 ? [report('h1', 'h2')] : [],
    }));
    expect(pairs).toEqual([]);
  });
});

const names = fc.constantFrom('h1', 'h2', 'h3', 'h4');
const networks = fc.constantFrom<NetworkKind>('migration', 'guest-a');
const someReports = fc.array(fc.record({ by: names, of: names, network: networks }), { maxLength: 12 });
const someHosts = fc.tuple(
  ...['h1', 'h2', 'h3', 'h4'].map((name) =>
    fc.record({
      name: fc.constant(name),
      state: fc.constantFrom<HostState>('connected', 'connected', 'suspect', 'isolated', 'failed'),
      connectedSinceMs: fc.constantFrom(null, 0, startMs - 100),
      networks: fc.constantFrom<NetworkKind[]>(['migration', 'guest-a'], ['guest-a'], []),
    }),
  ),
);
const someRounds = fc.array(fc.record({ hosts: someHosts, reports: someReports, afterMs: fc.nat(20_000) }), {
  minLength: 1,
  maxLength: 15,
});

describe('whatever is told', () => {
  it('[PAIR-1] [PAIR-2] [PAIR-3] nobody is marked without a well host that complains of a well host', () => {
    fc.assert(
      fc.property(someRounds, (rounds) => {
        let pairs: readonly Pair[] = [];
        let nowMs = startMs;
        for (const round of rounds) {
          nowMs += round.afterMs;
          const next = judgePairs(pairs, round.hosts, round.reports, nowMs, timing);
          for (const { hosts: two, network, isLost } of changedPairs(pairs, next)) {
            const both = round.hosts.filter(({ name }) => two.includes(name));
            expect(both.every(({ state }) => state === 'connected')).toBe(true);
            const complaints = round.reports.filter(
              ({ by, of, network: on }) =>
                by !== of && two.includes(by) && two.includes(of) && on === network,
            );
            expect(complaints.length > 0).toBe(isLost);
          }
          for (const {
            hosts: [a, b],
            losses,
          } of next) {
            expect(a < b).toBe(true);
            expect(losses).toBeGreaterThan(0);
          }
          pairs = next;
        }
      }),
    );
  });

  it('neither the order of reports nor of hosts matters, nor being told twice', () => {
    fc.assert(
      fc.property(someRounds, (rounds) => {
        let one: readonly Pair[] = [];
        let other: readonly Pair[] = [];
        let nowMs = startMs;
        for (const round of rounds) {
          nowMs += round.afterMs;
          one = judgePairs(one, round.hosts, round.reports, nowMs, timing);
          const turned = [...round.reports, ...round.reports].reverse();
          other = judgePairs(other, [...round.hosts].reverse(), turned, nowMs, timing);
          expect(other).toEqual(one);
          expect(judgePairs(one, round.hosts, round.reports, nowMs, timing)).toEqual(one);
        }
      }),
    );
  });

  it('[PAIR-4] everybody is found again once nobody complains any more', () => {
    fc.assert(
      fc.property(someRounds, (rounds) => {
        let pairs: readonly Pair[] = [];
        let nowMs = startMs;
        for (const round of rounds) {
          nowMs += round.afterMs;
          pairs = judgePairs(pairs, round.hosts, round.reports, nowMs, timing);
        }
        const well = ['h1', 'h2', 'h3', 'h4'].map((name) => host(name));
        const longestMs = quietNeededMs(Number.POSITIVE_INFINITY, timing);
        for (const elapsedMs of [0, longestMs])
          pairs = judgePairs(pairs, well, [], nowMs + elapsedMs, timing);
        expect(pairs.filter(({ isLost }) => isLost)).toEqual([]);
      }),
    );
  });
});
