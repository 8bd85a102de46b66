import { grantDeadlineNs } from '@skein/shared';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { estimateOffset } from './clock-offset.ts';
import { guestTicksAt, hostNsAt, resumedClock } from './guest-clock.ts';
import { isAllowed } from './output-guard.ts';

const ns = (max: bigint) => fc.bigInt({ min: 0n, max });

describe('guest clock', () => {
  it('never runs backwards, whatever host times it is asked about', () => {
    fc.assert(
      fc.property(
        ns(10n ** 15n),
        ns(10n ** 15n),
        ns(10n ** 12n),
        ns(10n ** 12n),
        (guestTicks, hostNs, a, b) => {
          const clock = { guestTicks, hostNs };
          const [early, late] = a < b ? [a, b] : [b, a];
          expect(guestTicksAt(clock, hostNs + early) <= guestTicksAt(clock, hostNs + late)).toBe(true);
          expect(guestTicksAt(clock, hostNs - early)).toBe(guestTicks);
        },
      ),
    );
  });

  it('has reached a deadline at the host time computed for it, and not 100 ns before', () => {
    fc.assert(
      fc.property(ns(10n ** 15n), ns(10n ** 15n), ns(10n ** 12n), (guestTicks, hostNs, ahead) => {
        const clock = { guestTicks, hostNs };
        const due = hostNsAt(clock, guestTicks + ahead);
        expect(guestTicksAt(clock, due)).toBe(guestTicks + ahead);
        if (ahead > 0n) expect(guestTicksAt(clock, due - 100n)).toBe(guestTicks + ahead - 1n);
      }),
    );
  });

  it('counts the time of a migration on the target, never less than at the suspension', () => {
    const suspension = { guestTicks: 1000n, sourceNs: 5_000_000n };
    // The target's clock is 7 s ahead; 2 ms passed.
    const resumed = resumedClock(suspension, 7_007_000_000n, 7_000_000_000n);
    expect(resumed.guestTicks).toBe(1000n + 20_000n);
    // An offset in error would make time run backwards: clamped.
    expect(resumedClock(suspension, 1_000n, 7_000_000_000n).guestTicks).toBe(1000n);
  });
});

describe('clock offset', () => {
  it('is right within its error bound, whatever way the delays are split', () => {
    const exchange = fc.record({ start: ns(10n ** 12n), there: ns(10n ** 8n), back: ns(10n ** 8n) });
    fc.assert(
      fc.property(
        fc.array(exchange, { minLength: 1, maxLength: 12 }),
        fc.bigInt({ min: -(10n ** 12n), max: 10n ** 12n }),
        (list, trueOffset) => {
          const exchanges = list.map(({ start, there, back }) => ({
            sentNs: start,
            receivedNs: start + there + back,
            peerNs: start + there - trueOffset,
          }));
          const { offsetNs, errorNs } = estimateOffset(exchanges);
          const error = offsetNs > trueOffset ? offsetNs - trueOffset : trueOffset - offsetNs;
          expect(error <= errorNs).toBe(true);
        },
      ),
    );
  });
});

describe('output guard', () => {
  const timing = { ttlMs: 1500, driftRatio: 0.01, marginMs: 200 };

  it('ends before the storage service can give the lease to another, whatever the clocks drift', () => {
    fc.assert(
      fc.property(
        ns(10n ** 12n),
        ns(10n ** 9n),
        fc.double({ min: -0.01, max: 0.01, noNaN: true }),
        (sentNs, travelNs, drift) => {
          // The service counts the TTL from its receipt, after the send; its clock may run fast by the drift.
          const serviceEndNs =
            sentNs + travelNs + BigInt(Math.floor((timing.ttlMs * 1e6) / (1 + Math.abs(drift))));
          expect(grantDeadlineNs(sentNs, timing.ttlMs, timing) < serviceEndNs).toBe(true);
        },
      ),
    );
  });

  it('allows nothing without a lease', () => {
    expect(isAllowed(0n, 0n)).toBe(false);
    expect(isAllowed(10n, 10n)).toBe(false);
    expect(isAllowed(10n, 9n)).toBe(true);
  });
});
