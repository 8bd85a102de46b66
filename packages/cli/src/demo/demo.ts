/**
 * The demo: six steps on a cluster of its own, each of which must truly hold. It uses only what people can use: the REST
 * API, consoles, and signals to processes that it started. Whatever happens, all of it is stopped again.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { ensureGuestImage, type GuestImage } from '@skein/guests';
import type { HostView } from '@skein/shared';
import { findCluster } from '../client/access.ts';
import { ApiClient } from '../client/api-client.ts';
import { type LaunchedCluster, launchCluster } from '../cluster/launch.ts';
import { stopProcesses } from '../cluster/process.ts';
import { readClusterFile } from '../cluster/state-folder.ts';
import { imageProgress } from '../output/image-progress.ts';
import { bootGuests } from './boot-guests.ts';
import { claim, type DemoClock, type DemoProgress, type DemoRun } from './demo-run.ts';
import { loseHost } from './lose-host.ts';
import { migrateGuest } from './migrate-guest.ts';
import { pingGuests } from './ping-guests.ts';
import { hosts } from './plan.ts';
import type { DemoResult } from './result.ts';

export interface DemoOptions {
  /** Leave the cluster running at the end. */
  readonly isKept: boolean;
  readonly progress: DemoProgress;
  readonly clock: DemoClock;
  /** Ends the demo. */
  readonly signal: AbortSignal;
}

const hostMemoryMib = 512;
const settleDeadlineMs = 10_000;
const connectDeadlineMs = 15_000;
const pollMs = 100;

/** @throws OperationError for the first claim that does not hold */
export async function runDemo(options: DemoOptions): Promise<DemoResult> {
  const stateFolder = await mkdtemp(join(tmpdir(), 'skein-demo-'));
  let hasSucceeded = false;
  let steps: Promise<DemoResult> | null = null;
  try {
    const interrupted = new Promise<never>((_, reject) => {
      options.signal.addEventListener('abort', () => reject(options.signal.reason as Error), { once: true });
    });
    steps = runSteps(options, stateFolder);
    // After an interruption its failures are only echoes.
    steps.catch(() => undefined);
    const result = await Promise.race([steps, interrupted]);
    hasSucceeded = true;
    return result;
  } finally {
    await cleanUp({ ...options, stateFolder, hasSucceeded, steps });
  }
}

async function runSteps(options: DemoOptions, stateFolder: string): Promise<DemoResult> {
  const { progress, clock } = options;
  progress.step('1/6  a coordinator, a storage service and three host agents start');
  const image = await getImage();
  const cluster = await launch(options, stateFolder, image);
  const access = await findCluster(stateFolder);
  const client = new ApiClient(access);
  const hostResults = await describeHosts(client, progress);

  progress.step(`2/6  three guests boot from image ${image.digest.slice(0, 12)}`);
  const run = {
    clock,
    progress,
    signal: options.signal,
    cluster,
    access,
    client,
    info: await client.cluster(),
  };
  const { results: guestResults, consoles } = await bootGuests(run, image.digest);
  const running: DemoRun = { ...run, consoles };
  try {
    progress.step('3/6  guests on different hosts ping each other');
    const ping = await pingGuests(running);
    progress.step('4/6  a guest that counts each ms moves to another host while it is pinged every 10 ms');
    const { migration, guest } = await migrateGuest(running);
    progress.step('5/6  the host of another guest is killed');
    const failover = await loseHost(running);
    progress.step('6/6  every step held');
    return { hosts: hostResults, guests: guestResults, ping, migration, guest, failover };
  } finally {
    for (const console of consoles.values()) console.close();
  }
}

async function getImage(): Promise<GuestImage> {
  const shown = imageProgress();
  try {
    return await ensureGuestImage(shown.options);
  } finally {
    shown.close();
  }
}

/** Images lie in one folder, each under its digest. */
async function launch(
  options: DemoOptions,
  stateFolder: string,
  image: GuestImage,
): Promise<LaunchedCluster> {
  return await launchCluster({
    bed: 'processes',
    cluster: 'demo',
    stateFolder,
    hosts,
    hostMemoryMib,
    imageFolder: dirname(dirname(image.kernelPath)),
    isDetached: options.isKept,
    onProgress: (phase) => options.progress.waiting(phase),
    signal: options.signal,
  });
}

async function describeHosts(client: ApiClient, progress: DemoProgress): Promise<DemoResult['hosts']> {
  const views = await connectedHosts(client);
  return views.map((host) => {
    claim(host.pid !== null, `${host.name} does not tell its pid`);
    const addresses = Object.entries(host.addresses).map(([kind, address]) => `${kind} ${address}`);
    progress.found(`${host.name}: pid ${host.pid}, ${host.capacity.cpuMhz} MHz, ${addresses.join(', ')}`);
    return { name: host.name, pid: host.pid };
  });
}

/** Hosts are registered by now; their first heartbeats may still be on their way. */
async function connectedHosts(client: ApiClient): Promise<readonly HostView[]> {
  const deadlineMs = performance.now() + connectDeadlineMs;
  for (;;) {
    const views = await client.hosts();
    const connected = views.filter(({ state }) => state === 'connected');
    if (connected.length === hosts) return views;
    claim(performance.now() < deadlineMs, `${connected.length} of ${hosts} hosts are connected`);
    await sleep(pollMs);
  }
}

interface Ending extends DemoOptions {
  readonly stateFolder: string;
  readonly hasSucceeded: boolean;
  readonly steps: Promise<DemoResult> | null;
}

async function cleanUp(ending: Ending): Promise<void> {
  const { stateFolder, hasSucceeded, progress } = ending;
  if (ending.isKept && hasSucceeded) {
    progress.found(`the cluster is kept: export SKEIN_STATE=${stateFolder}; end it with: skein down --purge`);
    return;
  }
  await stopCluster(stateFolder);
  // A launch that was interrupted stops by itself what it was just starting.
  await Promise.race([
    ending.steps?.catch(() => undefined),
    sleep(settleDeadlineMs, undefined, { ref: false }),
  ]);
  await stopCluster(stateFolder);
  if (hasSucceeded || ending.signal.aborted) await rm(stateFolder, { recursive: true, force: true });
  else progress.found(`all processes are stopped; their logs are in ${stateFolder}`);
}

async function stopCluster(stateFolder: string): Promise<void> {
  const file = await readClusterFile(stateFolder);
  if (file !== null) await stopProcesses(file.processes);
}
