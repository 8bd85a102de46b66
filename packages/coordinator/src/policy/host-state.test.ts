import { timingDefaults } from '@skein/shared';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  type HostEvidence,
  hostLeaseOverMs,
  judgeHosts,
  type LeaseEvidence,
  leaseEvidence,
  selfSuspicionMs,
} from './host-state.ts';
import { leaseSight } from './testing/inventories.ts';

const timing = timingDefaults;
const grantedAtMs = 100_000;
const overMs = hostLeaseOverMs({ grantedAtMs }, 0, timing);

const evidence = (more: Partial<HostEvidence> = {}): HostEvidence => ({
  name: 'h1',
  isLinked: true,
  grantedAtMs,
  leases: 'none',
  ...more,
});

/** One of three, the others well. */
function judge(host: HostEvidence, nowMs: number, watchSinceMs = 0) {
  const others = ['h8', 'h9'].map((name) => evidence({ name, grantedAtMs: nowMs }));
  return judgeHosts([host, ...others], nowMs, watchSinceMs, timing).get('h1');
}

describe('the state of a host', () => {
  it('[HA-1] is connected while heartbeats are granted', () => {
    expect(judge(evidence(), grantedAtMs + timing.echoAgeMsMax)).toEqual({
      state: 'connected',
      reason: null,
    });
  });

  it('[HA-2] is suspect as soon as its connection ends or its heartbeats stop', () => {
    expect(judge(evidence({ isLinked: false }), grantedAtMs)?.state).toBe('suspect');
    expect(judge(evidence({ leases: 'over' }), grantedAtMs + timing.echoAgeMsMax + 1)?.state).toBe('suspect');
    expect(judge(evidence({ isLinked: false, leases: 'over' }), overMs - 1)?.state).toBe('suspect');
  });

  it('[HA-2] waits at least as long as the agent may believe in its lease, however their clocks drift', () => {
    // The agent counts from its send, which is before our grant, on a clock up to rho slower than true time.
    const believedMs = timing.hostLeaseTtlMs / (1 - timing.driftRatio);
    const waitedAtLeastMs = (overMs - grantedAtMs) / (1 + timing.driftRatio);
    expect(waitedAtLeastMs).toBeGreaterThan(believedMs);
    expect(overMs - grantedAtMs).toBeLessThanOrEqual(1750);
  });

  it.each<[LeaseEvidence, string, string]>([
    ['none', 'failed', 'no VMs'],
    ['over', 'failed', 'VM leases are over'],
    ['renewed', 'isolated', 'guests run on'],
    ['held', 'suspect', 'not over yet'],
    ['unknown', 'suspect', 'cannot be asked'],
  ])('[HA-3] [HA-4] [HA-5] with leases %s it is %s once its host lease is over', (leases, state, words) => {
    const verdict = judge(evidence({ isLinked: false, leases }), overMs);
    expect(verdict?.state).toBe(state);
    expect(verdict?.reason).toContain(words);
  });

  it('[HA-6] holds nothing against a host for the time before the coordinator began to watch', () => {
    const watchSinceMs = overMs + 60_000;
    expect(judge(evidence({ leases: 'over' }), watchSinceMs, watchSinceMs)?.state).toBe('connected');
    const lost = evidence({ isLinked: false, leases: 'over' });
    expect(judge(lost, watchSinceMs + 1700, watchSinceMs)?.state).toBe('suspect');
    expect(judge(lost, watchSinceMs + 1800, watchSinceMs)?.state).toBe('failed');
  });

  it('[HA-7] suspects itself when most hosts without VMs fall silent at once, but not for ever', () => {
    const all = ['h1', 'h2', 'h3'].map((name, index) =>
      evidence({ name, isLinked: index === 2, grantedAtMs: index === 2 ? overMs : grantedAtMs + index }),
    );
    const soon = judgeHosts(all, overMs + 10, 0, timing);
    expect([...soon.values()].map(({ state }) => state)).toEqual(['suspect', 'suspect', 'connected']);
    expect(soon.get('h1')?.reason).toContain('more than half');
    const later = judgeHosts(all, overMs + selfSuspicionMs + 100, 0, timing);
    expect(later.get('h1')?.state).toBe('failed');
  });

  it('[HA-7] takes the word of the storage even when most hosts are gone', () => {
    const all = ['h1', 'h2', 'h3'].map((name) => evidence({ name, isLinked: false, leases: 'over' }));
    const states = [...judgeHosts(all, overMs, 0, timing).values()].map(({ state }) => state);
    expect(states).toEqual(['failed', 'failed', 'failed']);
  });

  it('[HA-2] [HA-3] never fails before the host lease is over, nor against what the leases say', () => {
    const one = fc.record({
      isLinked: fc.boolean(),
      silentMs: fc.integer({ min: 0, max: 20_000 }),
      leases: fc.constantFrom<LeaseEvidence>('none', 'renewed', 'held', 'over', 'unknown'),
    });
    fc.assert(
      fc.property(
        fc.array(one, { minLength: 1, maxLength: 6 }),
        fc.integer({ min: 0, max: 20_000 }),
        (hosts, watchedMs) => {
          const nowMs = 1_000_000;
          const all = hosts.map(({ isLinked, silentMs, leases }, index) =>
            evidence({ name: `h${index}`, isLinked, leases, grantedAtMs: nowMs - silentMs }),
          );
          const verdicts = judgeHosts(all, nowMs, nowMs - watchedMs, timing);
          for (const host of all) {
            if (verdicts.get(host.name)?.state !== 'failed') continue;
            expect(nowMs).toBeGreaterThanOrEqual(hostLeaseOverMs(host, nowMs - watchedMs, timing));
            expect(['none', 'over']).toContain(host.leases);
          }
        },
      ),
    );
  });
});

describe('the evidence of the leases', () => {
  const sinceMs = 5000;

  it('is none without VMs, and unknown while one was not read in time', () => {
    expect(leaseEvidence('h1', [], sinceMs)).toBe('none');
    expect(leaseEvidence('h1', [null, leaseSight('h1', 0, 6000)], sinceMs)).toBe('unknown');
    expect(leaseEvidence('h1', [leaseSight('h1', 0, 4999)], sinceMs)).toBe('unknown');
  });

  it('is over when each is free, expired or with another host', () => {
    const sights = [leaseSight(null, 0, 6000), leaseSight('h1', 0, 6000), leaseSight('h2', 900, 6000)];
    expect(leaseEvidence('h1', sights, sinceMs)).toBe('over');
    expect(leaseEvidence('h1', [{ lease: null, readAtMs: 6000, grewAfterMs: null }], sinceMs)).toBe('over');
  });

  it('is held while one runs, and renewed once it grew between two reads since then', () => {
    expect(leaseEvidence('h1', [leaseSight('h1', 900, 6000)], sinceMs)).toBe('held');
    expect(leaseEvidence('h1', [leaseSight('h1', 900, 6000, 4000)], sinceMs)).toBe('held');
    expect(leaseEvidence('h1', [leaseSight('h1', 900, 6000, 5500)], sinceMs)).toBe('renewed');
    expect(leaseEvidence('h1', [leaseSight('h1', 0, 6000, 5500)], sinceMs)).toBe('over');
  });

  it('takes one renewal as life even where another lease could not be read', () => {
    expect(leaseEvidence('h1', [null, leaseSight('h1', 900, 6000, 5500)], sinceMs)).toBe('renewed');
  });
});
