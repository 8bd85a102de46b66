import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { grantDeadlineNs, recoveryMs, Timing, timingDefaults } from './timing.ts';

describe('timing', () => {
  it('has the defaults of the design', () => {
    expect(timingDefaults).toEqual({
      heartbeatPeriodMs: 250,
      hostLeaseTtlMs: 1500,
      echoAgeMsMax: 750,
      vmLeaseRenewMs: 500,
      vmLeaseTtlMs: 1500,
      marginMs: 200,
      driftRatio: 0.01,
      peerAlivePeriodMs: 500,
      peerSilenceMsMax: 1900,
      peerMeetMs: 5000,
      pairQuietMs: 2000,
      gatherMs: 10_000,
    });
  });

  it('is refused if a lease ends between two renewals or two heartbeats', () => {
    const { error } = Timing.safeParse({ vmLeaseTtlMs: 1000, vmLeaseRenewMs: 500, heartbeatPeriodMs: 750 });
    expect(error?.issues.map(({ path }) => path[0])).toEqual(['heartbeatPeriodMs', 'vmLeaseRenewMs']);
  });

  it('[LEASE-11] lets the holder stop before the keeper’s time is over, whatever the drift within the bound', () => {
    const ttls = fc.integer({ min: 100, max: 60_000 });
    const drifts = fc.double({ min: 0, max: 0.1, noNaN: true });
    fc.assert(
      fc.property(
        ttls,
        drifts,
        fc.nat(500),
        fc.double({ min: -1, max: 1, noNaN: true }),
        (ttlMs, rho, marginMs, at) => {
          const usedNs = grantDeadlineNs(0n, ttlMs, { driftRatio: rho, marginMs });
          // The keeper's clock runs up to rho faster or slower than the holder's.
          const keeperMs = (Number(usedNs) / 1e6) * (1 + at * rho);
          expect(keeperMs).toBeLessThanOrEqual(ttlMs);
          expect(keeperMs).toBeLessThanOrEqual(recoveryMs(ttlMs, { driftRatio: rho, marginMs }));
        },
      ),
    );
  });

  it('never grants a deadline before the request was sent', () => {
    expect(grantDeadlineNs(7n, 100, { driftRatio: 0.01, marginMs: 200 })).toBe(7n);
  });
});
