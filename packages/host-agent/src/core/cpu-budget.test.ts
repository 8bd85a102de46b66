import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type CpuClaim, divideCpu } from './cpu-budget.ts';

const capacityMhz = 1000;

/** Claims whose reservations fit the capacity together, as admission guarantees. */
const claims = fc
  .array(
    fc.record({
      reservation: fc.double({ min: 0, max: 1, noNaN: true }),
      limitMhz: fc.integer({ min: 1, max: 2000 }),
      shares: fc.integer({ min: 1, max: 4000 }),
      demandMhz: fc.integer({ min: 0, max: 3000 }),
    }),
    { minLength: 1, maxLength: 8 },
  )
  .map((list) =>
    list.map(
      ({ reservation, ...rest }, index): CpuClaim => ({
        vm: `vm${index}`,
        reservationMhz: (reservation * capacityMhz) / list.length,
        ...rest,
      }),
    ),
  );

const most = (claim: CpuClaim): number => Math.min(claim.limitMhz, claim.demandMhz);

describe('dividing CPU', () => {
  it('gives nobody more than limit or demand, nor less than a reservation that is wanted', () => {
    fc.assert(
      fc.property(claims, (list) => {
        const granted = divideCpu(capacityMhz, list);
        for (const claim of list) {
          const mhz = granted.get(claim.vm) ?? -1;
          expect(mhz).toBeLessThanOrEqual(most(claim) + 1e-6);
          expect(mhz).toBeGreaterThanOrEqual(Math.min(claim.reservationMhz, most(claim)) - 1e-6);
        }
      }),
    );
  });

  it('hands out all there is when demand suffices, and never more', () => {
    fc.assert(
      fc.property(claims, (list) => {
        const sum = [...divideCpu(capacityMhz, list).values()].reduce((a, b) => a + b, 0);
        const wanted = list.reduce((total, claim) => total + most(claim), 0);
        expect(sum).toBeCloseTo(Math.min(capacityMhz, wanted), 3);
      }),
    );
  });

  it('gives a VM no less when its shares grow', () => {
    fc.assert(
      fc.property(claims, fc.integer({ min: 1, max: 4000 }), (list, more) => {
        const before = divideCpu(capacityMhz, list).get('vm0') ?? 0;
        const raised = list.map((claim) =>
          claim.vm === 'vm0' ? { ...claim, shares: claim.shares + more } : claim,
        );
        expect(divideCpu(capacityMhz, raised).get('vm0') ?? 0).toBeGreaterThanOrEqual(before - 1e-6);
      }),
    );
  });

  it('lends an idle reservation', () => {
    const granted = divideCpu(capacityMhz, [
      { vm: 'idle', reservationMhz: 800, limitMhz: 1000, shares: 1000, demandMhz: 0 },
      { vm: 'busy', reservationMhz: 0, limitMhz: 1000, shares: 1000, demandMhz: 1000 },
    ]);
    expect(granted.get('busy')).toBeCloseTo(1000, 6);
  });
});
