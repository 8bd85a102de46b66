/**
 * `pnpm bench link`: a live migration over the containers' migration network, shaped to 100 Mbit/s, to 1 Gbit/s, and not at
 * all. Bytes and times are the network interface's own counter's; what the link can carry is measured by raw TCP between
 * the same containers in the same run; the gap is what another guest's pings see.
 */
import { existsSync, readFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { type GuestConsole, longestGapMs, parseEchoReply } from '@skein/cli';
import type { MigrationRecord } from '@skein/shared';
import { ContainerCluster, containerOf, docker } from './container-cluster.ts';
import type { Bench } from './main.ts';
import { median } from './statistics.ts';

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
  await fill(await cluster.console(name));
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
          `${one.capacityUsed.toFixed(3)} of the link, raw TCP ${Math.round(one.rawTcpMbitPerS)} Mbit/s`,
      );
    }
    cells.push({ name: link.name, ...mediansOf(runs) });
  }
  await cluster.skein('link', 'reset', 'h1');
  await cluster.skein('link', 'reset', 'h2');
  return { cells };
};

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
    missedHeartbeats: runs.reduce((sum, { missedHeartbeats }) => sum + missedHeartbeats, 0),
  };
}

/** Random bytes, written once: nothing of it is zero, and nothing gets dirty while it moves. */
async function fill(console: GuestConsole): Promise<void> {
  const position = console.position;
  console.type(`filler ${filledMib}\n`);
  await console.waitFor(/filled \d+ MiB/, position, readyDeadlineMs);
  console.close();
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
    missedHeartbeats: await hostsDoubted(cluster, eventsBefore),
  };
}

/** The first round sends every page once. */
function nonZeroBytesOf({ rounds }: MigrationRecord): number {
  const [first] = rounds;
  if (first === undefined) throw new Error('a migration has a first round');
  return (first.pages - first.zeroPages - first.freePages) * pageBytes;
}

function startPings(observer: GuestConsole): { readonly guestNs: bigint }[] {
  const replies: { guestNs: bigint }[] = [];
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

const samplePeriodMs = 2;
/** Clock exchange and keep-alive are no pages. */
const edgeBytes = 64 << 10;

/** Bytes that a host's migration interface sent, by the kernel's own counter at the other end of its cable. */
class InterfaceCounter {
  readonly #path: string;
  readonly #samples: { readonly atMs: number; readonly bytes: number }[] = [];
  readonly #timer: NodeJS.Timeout;

  private constructor(path: string) {
    this.#path = path;
    this.#sample();
    this.#timer = setInterval(() => this.#sample(), samplePeriodMs);
  }

  static async start(host: string): Promise<InterfaceCounter> {
    const path = `/sys/class/net/${await outsideOf(host)}/statistics/rx_bytes`;
    if (!existsSync(path)) throw new Error(`${path} is not there: the bench runs where the engine runs`);
    return new InterfaceCounter(path);
  }

  /** In all, and from the first to the last byte of bulk. */
  stop(): { readonly bytes: number; readonly durationMs: number } {
    clearInterval(this.#timer);
    this.#sample();
    const first = this.#samples[0]?.bytes ?? 0;
    const last = this.#samples.at(-1)?.bytes ?? 0;
    const began = this.#samples.findLast(({ bytes }) => bytes < first + edgeBytes);
    const ended = this.#samples.find(({ bytes }) => bytes > last - edgeBytes);
    return { bytes: last - first, durationMs: (ended?.atMs ?? 0) - (began?.atMs ?? 0) };
  }

  #sample(): void {
    this.#samples.push({ atMs: performance.now(), bytes: Number(readFileSync(this.#path, 'utf8')) });
  }
}

async function outsideOf(host: string): Promise<string> {
  const address = await addressOf(host);
  const script = `for i in /sys/class/net/*; do n=$(basename $i); if ip -o -4 address show dev $n | grep -q ' ${address}/'; then cat $i/iflink; fi; done`;
  const index = (await docker('exec', containerOf(host), 'sh', '-c', script)).trim();
  const image = (await docker('inspect', '--format', '{{.Config.Image}}', containerOf(host))).trim();
  const run = ['run', '--rm', '--pull', 'never', '--network', 'host', '--entrypoint', 'ip', image];
  const found = new RegExp(`^${index}: ([^:@]+)`, 'm').exec(await docker(...run, '-o', 'link', 'show'));
  if (found?.[1] === undefined) throw new Error(`the cable of ${host} was not found`);
  return found[1];
}

async function addressOf(host: string): Promise<string> {
  const format =
    '{{range $name, $network := .NetworkSettings.Networks}}{{$name}} {{$network.IPAddress}}\n{{end}}';
  const networks = await docker('inspect', '--format', format, containerOf(host));
  const address = /_migration (\S+)/.exec(networks)?.[1];
  if (address === undefined) throw new Error(`${host} is not on the migration network`);
  return address;
}

const rawPort = 5999;
const rawMs = 2000;
const settleMs = 300;

/** Bits a second by plain TCP between the two hosts' migration addresses, once the link's burst allowance is used up. */
async function rawTcp(from: string, to: string): Promise<number> {
  const target = await addressOf(to);
  const sink = `
    const server = require('net').createServer((s) => {
      let bytes = 0, began = 0, counted = 0;
      s.on('data', (d) => { const now = performance.now(); began ||= now; if (now - began > ${settleMs}) counted ||= now; if (counted) bytes += d.length; last = now; });
      let last = 0;
      s.on('close', () => { console.log(bytes * 8 / ((last - counted) / 1000)); process.exit(0); });
    }).listen(${rawPort}, '${target}', () => console.log('listening'));
    setTimeout(() => process.exit(1), 20000);`;
  const source = `
    const s = require('net').connect(${rawPort}, '${target}');
    const chunk = Buffer.alloc(65536, 7), end = performance.now() + ${rawMs + settleMs};
    const go = () => { while (performance.now() < end) if (!s.write(chunk)) return s.once('drain', go); s.destroy(); };
    s.on('connect', go);`;
  const heard = docker('exec', containerOf(to), 'node', '-e', sink);
  await delay(settleMs);
  await docker('exec', containerOf(from), 'node', '-e', source);
  const rate = Number((await heard).trim().split('\n').at(-1));
  if (!Number.isFinite(rate) || rate <= 0) throw new Error('raw TCP between the hosts carried nothing');
  return rate;
}
