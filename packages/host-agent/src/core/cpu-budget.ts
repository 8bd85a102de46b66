/**
 * Divides a host's CPU among its VMs: each first gets its reservation, none more than its limit or its demand,
 * and what is left goes by shares, again and again as VMs saturate (design: Entitlement; Gulati et al., VMware
 * Technical Journal 2012). An idle VM's reservation is lent.
 */

export interface CpuClaim {
  readonly vm: string;
  readonly reservationMhz: number;
  readonly limitMhz: number;
  readonly shares: number;
  readonly demandMhz: number;
}

/** Entitlement in MHz for each VM; the sum is at most `capacityMhz`. Reservations must fit the capacity. */
export function divideCpu(capacityMhz: number, claims: readonly CpuClaim[]): ReadonlyMap<string, number> {
  const granted = new Map<string, number>();
  let left = capacityMhz;
  for (const claim of claims) {
    const base = Math.min(claim.reservationMhz, ceiling(claim), left);
    granted.set(claim.vm, base);
    left -= base;
  }
  let open = claims.filter((claim) => (granted.get(claim.vm) ?? 0) < ceiling(claim));
  while (left > smallestPortionMhz && open.length > 0) {
    const shares = open.reduce((sum, claim) => sum + claim.shares, 0);
    const portion = left / shares;
    for (const claim of open) {
      const before = granted.get(claim.vm) ?? 0;
      const after = Math.min(ceiling(claim), before + portion * claim.shares);
      granted.set(claim.vm, after);
      left -= after - before;
    }
    open = open.filter((claim) => (granted.get(claim.vm) ?? 0) < ceiling(claim));
  }
  return granted;
}

/** Below this the remainder is rounding. */
const smallestPortionMhz = 1e-6;

function ceiling(claim: CpuClaim): number {
  return Math.min(claim.limitMhz, Math.max(claim.demandMhz, 0));
}
