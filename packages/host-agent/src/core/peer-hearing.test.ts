import { timingDefaults } from '@skein/shared';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { PeerHearing } from './peer-hearing.ts';

const { peerSilenceMsMax, peerMeetMs, peerAlivePeriodMs } = timingDefaults;
const lookMs = 100;
const h2 = { host: 'h2', network: 'migration' } as const;
const h2Guest = { host: 'h2', network: 'guest-a' } as const;

/** Looks as often as the real one does; returns when somebody was silent first. */
function lookUntil(hearing: PeerHearing, fromMs: number, toMs: number): number | null {
  let first: number | null = null;
  for (let nowMs = fromMs; nowMs <= toMs; nowMs += lookMs)
    if (hearing.look(nowMs).length > 0) first ??= nowMs;
  return first;
}

describe('who is heard', () => {
  it('falls silent once nothing was heard for long enough, on that network alone', () => {
    const hearing = new PeerHearing(timingDefaults, 0);
    hearing.expect([h2, h2Guest], 0);
    for (let nowMs = 0; nowMs <= 10_000; nowMs += lookMs) {
      if (nowMs % peerAlivePeriodMs === 0) hearing.heard('h2', 'guest-a', nowMs);
      if (nowMs % peerAlivePeriodMs === 0 && nowMs <= 3000) hearing.heard('h2', 'migration', nowMs);
      const silent = hearing.look(nowMs);
      if (nowMs <= 3000 + peerSilenceMsMax) expect(silent).toEqual([]);
      else expect(silent).toEqual([{ ...h2, silentMs: nowMs - 3000 }]);
    }
  });

  it('is heard again with the first sign of life', () => {
    const hearing = new PeerHearing(timingDefaults, 0);
    hearing.expect([h2], 0);
    hearing.heard('h2', 'migration', 0);
    expect(lookUntil(hearing, 0, 3000)).toBe(2000);
    hearing.heard('h2', 'migration', 3000);
    expect(hearing.look(3000)).toEqual([]);
  });

  it('has longer to be met for the first time, and is silent if it never is', () => {
    const hearing = new PeerHearing(timingDefaults, 0);
    hearing.expect([h2], 0);
    expect(lookUntil(hearing, 0, peerMeetMs)).toBeNull();
    expect(lookUntil(hearing, peerMeetMs, peerMeetMs + 1000)).toBe(peerMeetMs + lookMs);
  });

  it('is forgotten when it is expected no more, and met anew when it is expected again', () => {
    const hearing = new PeerHearing(timingDefaults, 0);
    hearing.expect([h2], 0);
    expect(lookUntil(hearing, 0, 6000)).not.toBeNull();
    hearing.expect([], 6000);
    expect(hearing.look(6000)).toEqual([]);
    hearing.expect([h2], 6100);
    expect(lookUntil(hearing, 6100, 6100 + peerMeetMs)).toBeNull();
  });

  it('of strangers nothing is kept', () => {
    const hearing = new PeerHearing(timingDefaults, 0);
    hearing.heard('h9', 'migration', 0);
    expect(lookUntil(hearing, 0, 10_000)).toBeNull();
  });

  it('is held against nobody that this process itself stood still', () => {
    const hearing = new PeerHearing(timingDefaults, 0);
    hearing.expect([h2], 0);
    hearing.heard('h2', 'migration', 0);
    // Paused for a minute; what was sent meanwhile is read only after the first look.
    expect(hearing.look(60_000)).toEqual([]);
    expect(lookUntil(hearing, 60_100, 60_000 + peerSilenceMsMax)).toBeNull();
    expect(lookUntil(hearing, 60_000 + peerSilenceMsMax, 65_000)).toBe(60_000 + peerSilenceMsMax + lookMs);
  });

  it('counts from the change of this host’s own address', () => {
    const hearing = new PeerHearing(timingDefaults, 0);
    hearing.expect([h2, h2Guest], 0);
    hearing.heard('h2', 'migration', 0);
    hearing.heard('h2', 'guest-a', 0);
    hearing.meetAnew('migration', 1000);
    expect(lookUntil(hearing, 0, peerSilenceMsMax)).toBeNull();
    expect(hearing.look(2000).map(({ network }) => network)).toEqual(['guest-a']);
  });

  it('is silent exactly when no sign of life came within the time, whenever signs came', () => {
    const gaps = fc.array(fc.integer({ min: 1, max: 4000 }), { minLength: 1, maxLength: 30 });
    fc.assert(
      fc.property(gaps, (gapsMs) => {
        const hearing = new PeerHearing(timingDefaults, 0);
        hearing.expect([h2], 0);
        hearing.heard('h2', 'migration', 0);
        let heardAtMs = 0;
        let nextMs = 0;
        const pending = gapsMs.map((gapMs) => (nextMs += gapMs));
        for (let nowMs = 0; nowMs <= nextMs + 3000; nowMs += lookMs) {
          while (pending[0] !== undefined && pending[0] <= nowMs) {
            heardAtMs = pending.shift() ?? 0;
            hearing.heard('h2', 'migration', heardAtMs);
          }
          expect(hearing.look(nowMs).length > 0).toBe(nowMs - heardAtMs > peerSilenceMsMax);
        }
      }),
    );
  });
});
