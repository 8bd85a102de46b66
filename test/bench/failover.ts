/**
 * `pnpm bench failover`: what a host's loss costs its guests, in containers. A host is killed, paused, or disconnected from
 * all of its networks; measured are the declaration of its failure, the first step of its guest elsewhere, and the first
 * answer of that guest to another guest's pings; and whether anything ran twice.
 */
import { existsSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { type GuestConsole, parseEchoReply } from '@skein/cli';
import type { OperationView, VmView } from '@skein/shared';
import { ContainerCluster, containerOf, docker, project } from './container-cluster.ts';
import type { Bench } from './main.ts';
import { median } from './statistics.ts';

const runsOf = { full: 10, quick: 3 } as const;
const guests = ['web1', 'web2', 'web3'] as const;
const pingPeriodMs = 20;
const ctrlC = '\x03';
const failoverDeadlineMs = 60_000;
/** Longer than any lease, so that a host comes back to find itself replaced. */
const pausedMs = 10_000;

interface Fault {
  readonly name: 'kill' | 'pause' | 'disconnect';
  /** Resolves with the moment at which the host was lost, Unix time in ms. */
  readonly strike: (host: string) => Promise<number>;
  readonly heal: (host: string) => Promise<void>;
}

const networks = ['storage-a', 'storage-b', 'guest-a', 'guest-b', 'migration', 'ft-logging', 'management'];

const faults: readonly Fault[] = [
  {
    name: 'kill',
    strike: async (host) => {
      const pid = Number(await docker('inspect', '--format', '{{.State.Pid}}', containerOf(host)));
      // The engine takes most of a second around the kill itself: the process' end counts.
      const killed = docker('kill', containerOf(host));
      while (existsSync(`/proc/${pid}`)) await delay(1);
      const atMs = Date.now();
      await killed;
      return atMs;
    },
    heal: async (host) => void (await docker('start', containerOf(host))),
  },
  {
    name: 'pause',
    strike: async (host) => {
      const atMs = Date.now();
      await docker('pause', containerOf(host));
      return atMs;
    },
    heal: async (host) => void (await docker('unpause', containerOf(host))),
  },
  {
    name: 'disconnect',
    strike: async (host) => {
      const atMs = Date.now();
      await Promise.all(
        networks.map((network) =>
          docker('network', 'disconnect', `${project}_${network}`, containerOf(host)),
        ),
      );
      return atMs;
    },
    heal: async (host) => {
      for (const network of networks) {
        await docker('network', 'connect', `${project}_${network}`, containerOf(host));
      }
    },
  },
];

interface Run {
  readonly declaredMs: number;
  readonly firstStepMs: number;
  readonly answeredMs: number;
  readonly isDoubled: boolean;
  /** What the restart went through, in ms after the loss. */
  readonly timeline: string;
}

export const benchFailover: Bench = async ({ quick, say }) => {
  const runs = quick ? runsOf.quick : runsOf.full;
  say('docker compose up --wait');
  const cluster = await ContainerCluster.up();
  const cells = [];
  for (const fault of faults) {
    const done: Run[] = [];
    for (let number = 1; number <= runs; number++) {
      const one = await strikeOnce(cluster, fault, number);
      done.push(one);
      say(
        `${fault.name} ${number}/${runs}: ${one.timeline}, answered ${rounded(one.answeredMs)} ms` +
          (one.isDoubled ? ', DOUBLED' : ''),
      );
    }
    cells.push({
      name: fault.name,
      runs,
      declaredMs: rounded(median(done.map(({ declaredMs }) => declaredMs))),
      firstStepMs: rounded(median(done.map(({ firstStepMs }) => firstStepMs))),
      answeredMs: rounded(median(done.map(({ answeredMs }) => answeredMs))),
      worstFirstStepMs: rounded(Math.max(...done.map(({ firstStepMs }) => firstStepMs))),
      doubled: done.filter(({ isDoubled }) => isDoubled).length,
    });
  }
  return { cells };
};

async function strikeOnce(cluster: ContainerCluster, fault: Fault, number: number): Promise<Run> {
  await cluster.spread(guests);
  const victim = guests[number % guests.length] ?? 'web1';
  const observer = guests[(number + 1) % guests.length] ?? 'web2';
  const before = await cluster.client.vm(victim);
  const host = before.host ?? '';
  const console = await cluster.console(observer);
  try {
    const answers = await ping(console, before);
    const lostAtMs = await fault.strike(host);
    const operation = await restartOf(cluster, victim, lostAtMs);
    const timeline = operation.timeline.map(({ name, atMs }) => `${name} ${rounded(atMs - lostAtMs)}`);
    const declaredAtMs = timeOf(operation, 'declared failed');
    await console.waitUntil(`hear ${victim} again`, failoverDeadlineMs, () =>
      answers.some(({ atMs }) => atMs > declaredAtMs),
    );
    const answeredAtMs = answers.find(({ atMs }) => atMs > declaredAtMs)?.atMs ?? Number.NaN;
    if (fault.name !== 'kill') await delay(Math.max(0, lostAtMs + pausedMs - Date.now()));
    await fault.heal(host);
    await cluster.settled();
    await returned(cluster, host);
    console.type(ctrlC);
    return {
      declaredMs: declaredAtMs - lostAtMs,
      firstStepMs: timeOf(operation, 'first step') - lostAtMs,
      answeredMs: answeredAtMs - lostAtMs,
      isDoubled: await isDoubled(cluster, before, answers, lostAtMs),
      timeline: timeline.join(', '),
    };
  } finally {
    console.close();
  }
}

interface Answer {
  readonly sequence: number;
  /** Of its arrival here, Unix time. */
  readonly atMs: number;
}

async function ping(console: GuestConsole, target: VmView): Promise<readonly Answer[]> {
  const address = target.spec.machine.nics[0]?.address?.split('/')[0];
  if (address === undefined) throw new Error(`${target.name} has no address`);
  const answers: Answer[] = [];
  console.onLine((line) => {
    const reply = parseEchoReply(line);
    if (reply !== null) answers.push({ sequence: reply.sequence, atMs: Date.now() });
  });
  console.type(`${ctrlC}\npinger ${address} ${pingPeriodMs}\n`);
  await console.waitUntil(`hear ${target.name}`, failoverDeadlineMs, () => answers.length >= 3);
  return answers;
}

/** The restart of that guest that began after the fault, when it has succeeded. */
async function restartOf(cluster: ContainerCluster, vm: string, sinceMs: number): Promise<OperationView> {
  return await cluster.eventually(`${vm} is restarted`, async () => {
    const found = (await restartsOf(cluster, vm, sinceMs))[0];
    return found?.state === 'succeeded' ? found : null;
  });
}

async function restartsOf(cluster: ContainerCluster, vm: string, sinceMs: number): Promise<OperationView[]> {
  return (await cluster.client.operations()).filter(
    ({ kind, vmName, createdAtMs }) => kind === 'vm-restart' && vmName === vm && createdAtMs >= sinceMs,
  );
}

/** The host is back and has let go of what others run now. */
async function returned(cluster: ContainerCluster, host: string): Promise<void> {
  await cluster.eventually(`${host} has discarded its copies`, async () => {
    const view = (await cluster.client.hosts()).find(({ name }) => name === host);
    return view?.state === 'connected' && view.vms === 0 ? true : null;
  });
}

/** More than one restart, more than one lease, or one ping answered by two. */
async function isDoubled(
  cluster: ContainerCluster,
  before: VmView,
  answers: readonly Answer[],
  sinceMs: number,
): Promise<boolean> {
  const after = await cluster.client.vm(before.name);
  const restarts = await restartsOf(cluster, before.name, sinceMs);
  const sequences = new Set(answers.map(({ sequence }) => sequence));
  return (
    restarts.length !== 1 || after.epoch !== (before.epoch ?? 0) + 1 || sequences.size !== answers.length
  );
}

function timeOf({ timeline, id }: OperationView, name: string): number {
  const step = timeline.find((one) => one.name === name);
  if (step === undefined) throw new Error(`${id} has no step "${name}"`);
  return step.atMs;
}

const rounded = (ms: number): number => Math.round(ms);
