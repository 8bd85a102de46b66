/** What a guest does at its target while its lease passes: somebody hears of it with the lease, or nobody ever. */
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Failpoint, failpointsVariable } from '@skein/transport';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ticksIn } from '../bench/migration/tick-gaps.ts';
import { BedGuest } from '../support/bed-guest.ts';
import { until } from '../support/until.ts';

/** Many times as long as a head start. */
const heldMs = 300;

let guest: BedGuest;
const holds = mkdtempSync(join(tmpdir(), 'skein-holds-'));

beforeAll(async () => {
  process.env[failpointsVariable] = holds;
  guest = await BedGuest.start();
  guest.bed.type(guest.vm, 'ticker &\n');
  await until('the ticker counts', () => ticks().length > 200);
  // Its console was read at both hosts by then: what keeps it shut at the target is the lease alone.
  for (let move = 0; move < 2; move++) await guest.bed.migrate(guest.vm, guest.otherHost);
});
afterAll(async () => {
  rmSync(holds, { recursive: true, force: true });
  await guest.bed.close();
});

const text = (): string => guest.bed.console(guest.vm);
const ticks = (): readonly number[] => ticksIn(text(), 0).map(({ counter }) => counter);

function hold(place: Failpoint): { reached: () => Promise<void>; letGo: () => void } {
  const file = join(holds, place);
  writeFileSync(file, '');
  const isReached = (): boolean => existsSync(`${file}.reached`);
  const letGo = (): void => {
    rmSync(file);
    rmSync(`${file}.reached`);
  };
  return { reached: async () => void (await until(`somebody is at ${place}`, isReached)), letGo };
}

/** A migration whose target is ready and whose lease does not pass before it is let go. Meanwhile nothing is heard of the guest. */
async function readyMigration(): Promise<{ operation: string; letGo: () => void }> {
  const [verify, pass] = [hold('migration.verify.before'), hold('migration.lease-pass.before')];
  const operation = await guest.bed.beginMigration(guest.vm, guest.otherHost);
  await verify.reached();
  // The guest stands, and has not begun at the target; what was heard of it at the source may still be on its way.
  await sleep(heldMs);
  const heard = text();
  verify.letGo();
  await pass.reached();
  await sleep(heldMs);
  expect(text()).toBe(heard);
  return { operation, letGo: pass.letGo };
}

/** Where a tick was said twice its bytes are known already; where one was said too early the lines after it are out of order. */
async function expectEveryTickOnce(): Promise<void> {
  const last = ticks().at(-1) ?? 0;
  await until('the ticker goes on', () => (ticks().at(-1) ?? 0) > last + 200);
  const numbers = ticks();
  const from = numbers[0] ?? 0;
  expect(numbers).toEqual(numbers.map((_, index) => from + index));
}

describe('a guest that has taken its first steps at the target', () => {
  it('is heard by nobody before its lease has passed, and says everything once', async () => {
    const { operation, letGo } = await readyMigration();
    letGo();
    const record = await guest.bed.recordOf(operation, 'source');
    expect(record).toMatchObject({ outcome: 'committed' });
    expect(record.ahead?.headStartSteps).toBeGreaterThan(0);
    expect(record.stateHashTarget).toBe(record.stateHashSource);
    await guest.bed.adopt(guest.vm, guest.otherHost, record.epochAfter);
    await expectEveryTickOnce();
  });

  it('has never taken them where the lease stays with the source', async () => {
    const { operation, letGo } = await readyMigration();
    await guest.bed.link(guest.vm.host).request('migration.cancel', { operation }, { deadlineMs: 5000 });
    letGo();
    for (const side of ['source', 'target'] as const)
      expect(await guest.bed.recordOf(operation, side)).toMatchObject({ outcome: 'aborted' });
    await expectEveryTickOnce();
  });
});
