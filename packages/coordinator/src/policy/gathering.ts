/**
 * After the whole cluster was down its hosts come back one by one, and what ran on the last of them must not be started
 * on the first one, only because that is there. So, while everybody that is there has just started, the others are waited
 * for. A host that ran before is proof that the cluster was not down: then nobody is waited for, also if that host has
 * gone since; nor is a host that was back already and went again. Rules: SPEC.md, [HA-15].
 */
import type { HostName } from '@skein/shared';
import type { HostInventory, Inventory } from './inventory.ts';

/** Hosts that may be about to come back; empty: what is there is what there is. */
export function awaitedHosts({ hosts, nowMs }: Inventory, gatherMs: number): HostName[] {
  const hasJustStarted = ({ startedAtMs }: HostInventory): boolean =>
    startedAtMs !== null && nowMs - startedAtMs < gatherMs;
  const present = hosts.filter(({ state }) => state === 'connected');
  if (present.length === 0 || !present.every(hasJustStarted)) return [];
  const firstStartMs = Math.min(...present.map(({ startedAtMs }) => startedAtMs ?? nowMs));
  const ranThen = hosts.some(
    (host) => !hasJustStarted(host) && host.heardAtMs !== null && host.heardAtMs >= firstStartMs,
  );
  if (ranThen) return [];
  return hosts.filter((host) => host.state !== 'connected' && !hasJustStarted(host)).map(({ name }) => name);
}
