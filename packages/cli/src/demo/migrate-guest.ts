/**
 * Step 4: a guest that counts aloud each ms moves to another host while a guest on a third one pings it every 10 ms.
 * What is measured, the guests themselves measured: their consoles carry their clocks' readings.
 */
import type { MigrationRecord } from '@skein/shared';
import { awaitOperation } from '../client/follow-operation.ts';
import type { GuestConsole } from '../client/guest-console.ts';
import {
  brokenCount,
  longestGapMs,
  lostReadings,
  observedGap,
  parseEchoReply,
  parseTick,
  type Reading,
} from '../observe/readings.ts';
import { formatMigration } from '../output/migration-report.ts';
import { claim, consoleOf, type DemoRun, rounded } from './demo-run.ts';
import { counting, doomed, migrationTarget } from './plan.ts';
import type { CountingResult, DemoResult, MigrationResult } from './result.ts';

const pingPeriodMs = 10;
/** Before and after the migration so much is watched, by the guests' own counts. */
const repliesBefore = 50;
const ticksBefore = 500;
const repliesAfter = 100;
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
  const replies: Reading[] = [];
  const stopTicks = collect(ticker, ticks, parseTick);
  const stopReplies = collect(pinger, replies, parseEchoReply);
  ticker.type('ticker\n');
  pinger.type(`pinger ${counting.address} ${pingPeriodMs}\n`);
  await ticker.waitUntil('count', startDeadlineMs, () => ticks.length >= ticksBefore);
  await pinger.waitUntil('get answers', startDeadlineMs, () => replies.length >= repliesBefore);

  const firstTick = ticks.length - 1;
  const firstReply = replies.length - 1;
  run.progress.waiting(`${counting.name} moves from ${counting.host} to ${migrationTarget}`);
  const record = await migrate(run);
  const counterAtEnd = ticks.at(-1)?.sequence ?? 0;
  const repliesAtEnd = replies.length;
  await ticker.waitUntil(
    'go on counting',
    afterDeadlineMs,
    () => (ticks.at(-1)?.sequence ?? 0) >= counterAtEnd + ticksAfter,
  );
  await pinger.waitUntil(
    'get answers again',
    afterDeadlineMs,
    () => replies.length >= repliesAtEnd + repliesAfter,
  );
  await endWorkloads(ticker, pinger);
  stopTicks();
  stopReplies();

  const during = ticks.slice(firstTick);
  const broken = brokenCount(during);
  claim(broken === null, `${counting.name} did not count without a break: ${broken}`);
  const answers = replies.slice(firstReply);
  const migration = toResult(record, answers);
  const seen = { guest: observedGap(ticks, firstTick), network: observedGap(replies, firstReply) };
  await run.client.observeMigration(record.operation, seen);
  const guest: CountingResult = {
    counterBefore: during[0]?.sequence ?? 0,
    counterAfter: during.at(-1)?.sequence ?? 0,
    tickGapMs: rounded(longestGapMs(during)),
  };
  run.progress.found(formatMigration(record, seen));
  return { migration, guest };
}

function collect<T>(console: GuestConsole, into: T[], parse: (line: string) => T | null): () => void {
  return console.onLine((line) => {
    const reading = parse(line);
    if (reading !== null) into.push(reading);
  });
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

function toResult(record: MigrationRecord, replies: readonly Reading[]): MigrationResult {
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
    pingGapMs: rounded(longestGapMs(replies)),
    lostPings: lostReadings(replies),
    stateHashSource: record.stateHashSource,
    stateHashTarget: record.stateHashTarget,
    stateHashSourceFull: record.stateHashSourceFull ?? '',
  };
}
