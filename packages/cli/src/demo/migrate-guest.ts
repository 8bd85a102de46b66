/**
 * Step 4: a guest that counts aloud each ms moves to another host while a guest on a third one pings it every 10 ms.
 * What is measured, the guests themselves measured: their consoles carry their clocks' readings.
 */
import type { MigrationRecord, ObservedGap } from '@skein/shared';
import { awaitOperation } from '../client/follow-operation.ts';
import type { GuestConsole } from '../client/guest-console.ts';
import { brokenCount, parseTick, type Reading } from '../observe/readings.ts';
import { WatchedClock } from '../observe/watched-clock.ts';
import { formatMigration } from '../output/migration-report.ts';
import { claim, consoleOf, type DemoRun, rounded } from './demo-run.ts';
import { counting, doomed, migrationTarget } from './plan.ts';
import type { CountingResult, DemoResult, MigrationResult } from './result.ts';

const pingPeriodMs = 10;
/** The guest counts on for so long after the migration. */
const ticksAfter = 1000;
const startDeadlineMs = 30_000;
const afterDeadlineMs = 30_000;
const endDeadlineMs = 15_000;
const hashDeadlineMs = 15_000;
const ctrlC = '\x03';

export async function migrateGuest(run: DemoRun): Promise<Pick<DemoResult, 'migration' | 'guest'>> {
  const ticker = consoleOf(run, counting.name);
  const pinger = consoleOf(run, doomed.name);
  const ticks: Reading[] = [];
  const stopTicks = collectTicks(ticker, ticks);
  const clocks = { guest: WatchedClock.ofTicks(ticker), network: WatchedClock.ofPings(pinger) };
  ticker.type('ticker\n');
  pinger.type(`pinger ${counting.address} ${pingPeriodMs}\n`);
  await Promise.all([clocks.guest.hearControl(startDeadlineMs), clocks.network.hearControl(startDeadlineMs)]);

  run.progress.waiting(`${counting.name} moves from ${counting.host} to ${migrationTarget}`);
  const firstTick = ticks.length - 1;
  clocks.guest.begin();
  clocks.network.begin();
  const record = await migrate(run);
  const [guest, network] = await Promise.all([clocks.guest.conclude(), clocks.network.conclude()]);
  await countOn(ticker, ticks);
  stopTicks();
  await endWorkloads(ticker, pinger);

  const during = ticks.slice(firstTick);
  const broken = brokenCount(during);
  claim(broken === null, `${counting.name} did not count without a break: ${broken}`);
  claim(guest?.hasEnded === true, `${counting.name} was not heard again`);
  claim(network?.hasEnded === true, `${counting.name} did not answer again`);
  await run.client.observeMigration(record.operation, 'guest', guest);
  await run.client.observeMigration(record.operation, 'network', network);
  run.progress.found(formatMigration(record, { guest, network }));
  const counted: CountingResult = {
    counterBefore: during[0]?.sequence ?? 0,
    counterAfter: during.at(-1)?.sequence ?? 0,
    tickGapMs: rounded(guest.gapMs),
  };
  return { migration: toResult(record, network), guest: counted };
}

function collectTicks(console: GuestConsole, into: Reading[]): () => void {
  return console.onLine((line) => {
    const tick = parseTick(line);
    if (tick !== null) into.push(tick);
  });
}

async function countOn(ticker: GuestConsole, ticks: readonly Reading[]): Promise<void> {
  const atEnd = ticks.at(-1)?.sequence ?? 0;
  const hasCounted = (): boolean => (ticks.at(-1)?.sequence ?? 0) >= atEnd + ticksAfter;
  await ticker.waitUntil('go on counting', afterDeadlineMs, hasCounted);
}

async function migrate(run: DemoRun): Promise<MigrationRecord> {
  const before = await run.client.vm(counting.name);
  const reply = await run.client.migrateVm(counting.name, { host: migrationTarget });
  claim(reply.operation !== null, 'the coordinator sees nothing to migrate');
  await awaitOperation(run.client, reply.operation, { signal: run.signal });
  const record = await awaitFullHash(run, reply.operation);
  const after = await run.client.vm(counting.name);
  claim(record.outcome === 'committed', `the migration was ${record.outcome}: ${record.reason}`);
  claim(after.host === migrationTarget, `${counting.name} runs on ${after.host} after its migration`);
  claim((after.epoch ?? 0) > (before.epoch ?? 0), `the lease's epoch did not grow with the migration`);
  claim(
    record.stateHashSource === record.stateHashTarget &&
      record.stateHashSource === record.stateHashSourceFull,
    `state hashes differ: source ${record.stateHashSource}, target ${record.stateHashTarget}, in full ${record.stateHashSourceFull}`,
  );
  return record;
}

/** The source hashes its frozen RAM anew after the commit, off the downtime path. */
async function awaitFullHash(run: DemoRun, operation: string): Promise<MigrationRecord> {
  const deadlineMs = performance.now() + hashDeadlineMs;
  for (;;) {
    const { migration } = await run.client.operation(operation);
    if (migration !== null && migration.stateHashSourceFull !== null) return migration;
    claim(performance.now() < deadlineMs, 'the migration left no record with the full hash of its source');
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

/** The shells are needed again. */
async function endWorkloads(ticker: GuestConsole, pinger: GuestConsole): Promise<void> {
  const [tickerAt, pingerAt] = [ticker.position, pinger.position];
  ticker.type(ctrlC);
  pinger.type(ctrlC);
  await ticker.waitFor(ticker.prompt, tickerAt, endDeadlineMs);
  await pinger.waitFor(pinger.prompt, pingerAt, endDeadlineMs);
}

function toResult(record: MigrationRecord, network: ObservedGap): MigrationResult {
  return {
    from: record.from,
    to: record.to,
    mode: record.mode,
    phases: record.phases,
    rounds: record.rounds.length,
    pages: record.pages,
    zeroPages: record.zeroPages,
    bytes: record.bytes,
    totalMs: record.totalMs,
    downtimeMs: record.downtimeMs,
    pingGapMs: rounded(network.gapMs),
    lostPings: network.lost,
    stateHashSource: record.stateHashSource,
    stateHashTarget: record.stateHashTarget,
    stateHashSourceFull: record.stateHashSourceFull ?? '',
  };
}
