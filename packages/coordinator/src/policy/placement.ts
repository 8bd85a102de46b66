/** Where a VM shall run: the least loaded host that every filter lets through. Rules: SPEC.md, [PL-n]. */
import type { HostName } from '@skein/shared';
import { type PlacementRequest, refusalOf } from './filters.ts';
import { type HostInventory, type Inventory, Reservations } from './inventory.ts';
import { loadWith } from './score.ts';

export interface HostRefusal {
  readonly host: HostName;
  readonly reason: string;
}

export type Placement =
  | { readonly kind: 'placed'; readonly host: HostName; readonly reason: string }
  | { readonly kind: 'rejected'; readonly reasons: readonly HostRefusal[] };

export interface PlacementWish extends PlacementRequest {
  /** No other host than this one will do. */
  readonly pinned?: HostName;
  /** Taken if it can, whatever its load. */
  readonly preferred?: HostName | null;
}

export function place(
  inventory: Inventory,
  wish: PlacementWish,
  reservations: Reservations = new Reservations(inventory),
): Placement {
  const reasons: HostRefusal[] = [];
  const candidates: HostInventory[] = [];
  for (const host of inventory.hosts) {
    if (wish.pinned !== undefined && host.name !== wish.pinned) continue;
    const reason = refusalOf(wish, host, { inventory, reservations });
    if (reason === null) candidates.push(host);
    else reasons.push({ host: host.name, reason });
  }
  const chosen = choose(candidates, wish, reservations);
  if (chosen === null) return { kind: 'rejected', reasons: reasons.sort(byHost) };
  return { kind: 'placed', host: chosen.name, reason: why(chosen, candidates, wish, reservations) };
}

/** One sentence: `0/3 hosts can run web2: h1 has 64 MiB free of 128 needed; ...`. */
export function explain(vmName: string, reasons: readonly HostRefusal[]): string {
  if (reasons.length === 0) return `0/0 hosts can run ${vmName}: the cluster has no hosts`;
  const verdicts = reasons.map(({ host, reason }) => `${host} ${reason}`).join('; ');
  return `0/${reasons.length} hosts can run ${vmName}: ${verdicts}`;
}

function choose(
  candidates: readonly HostInventory[],
  wish: PlacementWish,
  reservations: Reservations,
): HostInventory | null {
  const preferred = candidates.find(({ name }) => name === wish.preferred);
  if (preferred !== undefined) return preferred;
  let best: { host: HostInventory; load: number } | null = null;
  for (const host of [...candidates].sort((a, b) => compareNames(a.name, b.name))) {
    const load = loadWith(wish.spec, host, reservations);
    if (best === null || load < best.load) best = { host, load };
  }
  return best?.host ?? null;
}

function why(
  chosen: HostInventory,
  candidates: readonly HostInventory[],
  wish: PlacementWish,
  reservations: Reservations,
): string {
  const load = `${Math.round(loadWith(wish.spec, chosen, reservations) * 100)} % reserved with it`;
  if (wish.pinned === chosen.name) return `asked for ${chosen.name} (${load})`;
  if (wish.preferred === chosen.name) return `${chosen.name} is where it was (${load})`;
  if (candidates.length === 1) return `${chosen.name} is the only host that can run it (${load})`;
  return `${chosen.name} is the least loaded of ${candidates.length} hosts (${load})`;
}

function byHost(a: HostRefusal, b: HostRefusal): number {
  return compareNames(a.host, b.host);
}

/** By code units: the same order on every machine. */
export function compareNames(a: string, b: string): number {
  if (a === b) return 0;
  return a < b ? -1 : 1;
}
