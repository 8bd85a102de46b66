/** One case of the matrix: a migration is held at a failpoint, something breaks there, it is let go, all must be well. */
import type { MigrationSettings } from '@skein/shared';
import type { Failpoint } from '@skein/transport';
import { expect } from 'vitest';
import type { FailpointCluster } from './failpoint-cluster.ts';

export const faults = ['source', 'target', 'coordinator', 'storage', 'cut', 'garbage'] as const;
export type Fault = (typeof faults)[number];

export interface HeldCase {
  readonly point: Failpoint;
  readonly fault: Fault;
  readonly settings: Partial<MigrationSettings>;
  /** False: its memory is lost with the fault, and HA starts it anew. */
  readonly survives: boolean;
  readonly isCommitted: boolean;
  /** How the operation must end; null: both ways are right, if host and operation agree. */
  readonly ends: 'succeeded' | 'failed' | null;
}

export async function breakHeldMigration(bench: FailpointCluster, held: HeldCase): Promise<void> {
  const { cluster } = bench;
  const { point, fault, settings, survives, isCommitted, ends } = held;
  await cluster.connected('h1', 'h2', 'h3');
  const before = await bench.settled();
  const source = before.host;
  const target = source === 'h1' ? 'h2' : source === 'h2' ? 'h3' : 'h1';
  const known = new Set((await bench.migrations()).map(({ id }) => id));
  await bench.startDirtier();

  bench.hold(point);
  const asked = bench.askMigration(target, settings);
  await bench.reached(point);
  const victim = await strike(bench, fault, { source, target });
  bench.release(point);
  const operation = await asked;
  if (victim === 'coordinator' || victim === 'storage') await cluster.restart(victim);
  if (victim === 'storage') await bench.renewed();

  // Of a guest that was lost the last news may be from before.
  const startedAnew = before.epoch + (isCommitted ? 2 : 1);
  const after = await bench.settled(survives ? before.epoch : startedAnew);
  bench.relay.heal();
  const mine = (await bench.migrations()).filter(({ id }) => !known.has(id));
  // Of what was never recorded nobody was told that it had begun.
  expect(mine.length).toBe(operation === null ? mine.length : 1);
  for (const { state, endedAtMs } of mine) {
    expect(endedAtMs).not.toBeNull();
    if (ends !== null) expect(state).toBe(ends);
  }
  if (survives) expect(after.host).toBe(mine[0]?.state === 'succeeded' ? target : source);
  else expect(after.host).not.toBe(victim);
  expect(await bench.lease()).toMatchObject({ owner: after.host, epoch: after.epoch });
  if (victim === source || victim === target) {
    await cluster.restart(victim);
    await bench.expectOneCopy(after.host, after.epoch);
  }
  await cluster.connected('h1', 'h2', 'h3');
  // Where nobody died, at once: an operation that has ended leaves nothing behind that would be in the way.
  const next = after.host === target ? source : target;
  await bench.migrate(next);
  expect(await bench.hasKeptMemory()).toBe(survives);
  const end = await bench.settled();
  expect(end.host).toBe(next);
  await bench.expectOneCopy(next, end.epoch);
}

/** The process that was killed, if any. */
async function strike(
  { cluster, relay }: FailpointCluster,
  fault: Fault,
  ends: { readonly source: string; readonly target: string },
): Promise<string | null> {
  if (fault === 'cut') relay.cut();
  if (fault === 'garbage') relay.garble();
  const isOfLink = fault === 'cut' || fault === 'garbage';
  const isOfHost = fault === 'source' || fault === 'target';
  const victim = isOfHost ? ends[fault] : isOfLink ? null : fault;
  if (victim !== null) await cluster.kill(victim);
  // Of a killed host too: what the kernel tells its peer at once comes by way of the relay.
  if (isOfLink || isOfHost) await relay.whenAllIsTold();
  return victim;
}
