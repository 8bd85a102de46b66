/**
 * `pnpm bench link`: a live migration over the containers' migration network, shaped to 100 Mbit/s, to 1 Gbit/s, and not at
 * all. Bytes and times are the network interface's own counter's; what the link can carry is measured by raw TCP between
 * the same containers in the same run; the gap is what another guest's pings see.
 */
import { type EchoReply, GapMeter, type GuestConsole, parseEchoReply } from '@skein/cli';
import type { MigrationRecord } from '@skein/shared';
import { ContainerCluster } from '../container-cluster.ts';
import type { Bench } from '../main.ts';
import { median } from '../statistics.ts';
import { fill } from './filled-memory.ts';
import { InterfaceCounter } from './interface-counter.ts';
import { rawTcp } from './raw-tcp.ts';
import { type SharedLink, shareLink } from './shared-link.ts';

const links = [
  { name: '100mbit', rateBitPerS: 100e6 },
  { name: '1gbit', rateBitPerS: 1e9 },
  { name: 'unshaped', rateBitPerS: null },
] as const;
const runsOf = { full: 3, quick: 1 } as const;
const vm = { name: 'bulk', memoryMib: 448, address: '10.77.0.50' } as const;
const filledMib = 288;
const pingPeriodMs = 10;
const pageBytes = 4096;
const ctrlC = '\x03';
const readyDeadlineMs = 120_000;

interface Run {
  readonly bytes: number;
  readonly nonZeroBytes: number;
  readonly totalMs: number;
  readonly downtimeMs: number;
  readonly pingGapMs: number;
  /** Of the configured rate; without one, of what raw TCP carried. */
  readonly capacityUsed: number;
  readonly rawTcpMbitPerS: number;
  /** Of the time in which raw TCP carries as many bytes, from the order to the guest's running at the target. */
  readonly totalOfRawTcp: number;
  readonly missedHeartbeats: number;
}

export const benchLink: Bench = async ({ quick, say }) => {
  say('docker compose up --wait');
  const cluster = await ContainerCluster.up();
  await cluster.settled();
  const { name, memoryMib, address } = vm;
  await cluster.skein(
    'vm',
    'create',
    name,
    '--memory',
    `${memoryMib}`,
    '--address',
    `${address}/24`,
    '--host',
    'h1',
  );
  await cluster.settled();
  if ((await cluster.client.vm('web3')).host !== 'h3') await cluster.migrate('web3', 'h3');
  await fill(await cluster.console(name), filledMib);
  const observer = await cluster.console('web3');
  const cells = [];
  for (const link of links) {
    const runs: Run[] = [];
    for (let number = 1; number <= (quick ? runsOf.quick : runsOf.full); number++) {
      await shape(cluster, link.rateBitPerS === null ? null : link.name);
      const one = await moveOnce(cluster, observer, link.rateBitPerS);
      runs.push(one);
      say(
        `${link.name} ${number}: ${(one.bytes / 1e6).toFixed(1)} MB for ${(one.nonZeroBytes / 1e6).toFixed(1)} MB of pages, ` +
          `${Math.round(one.totalMs)} ms, downtime ${one.downtimeMs.toFixed(1)} ms, ping gap ${one.pingGapMs.toFixed(1)} ms, ` +
          `${one.capacityUsed.toFixed(3)} of the link, ${one.totalOfRawTcp.toFixed(3)} of raw TCP's time, raw TCP ${Math.round(one.rawTcpMbitPerS)} Mbit/s`,
      );
    }
    cells.push({ name: link.name, ...mediansOf(runs) });
  }
  const shared = await shareLinks(cluster, observer, { quick, say });
  await cluster.skein('link', 'reset', 'h1');
  await cluster.skein('link', 'reset', 'h2');
  return { cells, shared };
};

/** Two guests at a time over the slowest link. */
async function shareLinks(
  cluster: ContainerCluster,
  observer: GuestConsole,
  { quick, say }: Pick<Parameters<Bench>[0], 'quick' | 'say'>,
): Promise<SharedLink & { readonly runs: number }> {
  observer.type(ctrlC);
  await cluster.skein('vm', 'stop', vm.name);
  await cluster.skein('vm', 'delete', vm.name);
  await shape(cluster, '100mbit');
  const shares = await shareLink(cluster, quick ? runsOf.quick : runsOf.full, say);
  const of = (key: keyof SharedLink): number => Number(median(shares.map((one) => one[key])).toFixed(3));
  return { runs: shares.length, shareMin: of('shareMin'), togetherOfRawTcp: of('togetherOfRawTcp') };
}

function mediansOf(runs: readonly Run[]) {
  const of = (key: keyof Run, digits: number): number =>
    Number(median(runs.map((one) => one[key])).toFixed(digits));
  return {
    runs: runs.length,
    bytes: of('bytes', 0),
    ofNonZeroMemory: Number(median(runs.map(({ bytes, nonZeroBytes }) => bytes / nonZeroBytes)).toFixed(3)),
    totalMs: of('totalMs', 0),
    downtimeMs: of('downtimeMs', 1),
    pingGapMs: of('pingGapMs', 1),
    capacityUsed: of('capacityUsed', 3),
    rawTcpMbitPerS: of('rawTcpMbitPerS', 0),
    totalOfRawTcp: of('totalOfRawTcp', 3),
    missedHeartbeats: runs.reduce((sum, { missedHeartbeats }) => sum + missedHeartbeats, 0),
  };
}

async function shape(cluster: ContainerCluster, rate: string | null): Promise<void> {
  for (const host of ['h1', 'h2']) {
    if (rate === null) await cluster.skein('link', 'reset', host, 'migration');
    else await cluster.skein('link', 'set', host, 'migration', '--rate', rate);
  }
}

async function moveOnce(
  cluster: ContainerCluster,
  observer: GuestConsole,
  rateBitPerS: number | null,
): Promise<Run> {
  const from = (await cluster.client.vm(vm.name)).host === 'h1' ? 'h1' : 'h2';
  const to = from === 'h1' ? 'h2' : 'h1';
  const rawTcpBitPerS = await rawTcp(from, to);
  const eventsBefore = (await cluster.client.allEvents()).at(-1)?.sequence ?? 0;
  const replies = startPings(observer);
  await observer.waitUntil(`hear ${vm.name}`, readyDeadlineMs, () => replies.length > 10);
  const counter = await InterfaceCounter.start(from);
  const { migration } = await cluster.migrate(vm.name, to);
  const seen = replies.length;
  await observer.waitUntil('hear it afterwards', readyDeadlineMs, () => replies.length > seen + 20);
  observer.type(ctrlC);
  const { bytes, durationMs } = counter.stop();
  if (migration === null) throw new Error('the migration left no record');
  return {
    bytes,
    nonZeroBytes: nonZeroBytesOf(migration),
    totalMs: migration.totalMs,
    downtimeMs: migration.downtimeMs,
    pingGapMs: longestGapMs(replies),
    capacityUsed: (bytes * 8) / ((rateBitPerS ?? rawTcpBitPerS) * (durationMs / 1000)),
    rawTcpMbitPerS: rawTcpBitPerS / 1e6,
    totalOfRawTcp: migration.totalMs / 1000 / ((bytes * 8) / rawTcpBitPerS),
    missedHeartbeats: await hostsDoubted(cluster, eventsBefore),
  };
}

function longestGapMs(replies: readonly EchoReply[]): number {
  const meter = new GapMeter();
  for (const reply of replies) meter.take(reply);
  return meter.metered?.gapMs ?? 0;
}

/** The first round sends every page once. */
function nonZeroBytesOf({ rounds }: MigrationRecord): number {
  const [first] = rounds;
  if (first === undefined) throw new Error('a migration has a first round');
  return (first.pages - first.zeroPages - first.freePages) * pageBytes;
}

function startPings(observer: GuestConsole): EchoReply[] {
  const replies: EchoReply[] = [];
  observer.onLine((line) => {
    const reply = parseEchoReply(line);
    if (reply !== null) replies.push(reply);
  });
  observer.type(`${ctrlC}\npinger ${vm.address} ${pingPeriodMs}\n`);
  return replies;
}

/** How often the coordinator doubted a host meanwhile: a heartbeat that missed its deadline is an event. */
async function hostsDoubted(cluster: ContainerCluster, after: number): Promise<number> {
  const events = await cluster.client.allEvents();
  return events.filter(
    ({ sequence, type }) => sequence > after && /^host\.(suspect|isolated|failed)/.test(type),
  ).length;
}
