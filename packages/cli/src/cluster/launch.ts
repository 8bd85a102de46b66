/**
 * Starts a cluster on this machine: storage service, coordinator, host agents, each a process of its own. Whatever
 * fails, what was started is stopped again and the message says which process it was.
 */
import { createHash } from 'node:crypto';
import { rm } from 'node:fs/promises';
import { OperationError } from '@skein/shared';
import { ensureTokenFile } from '@skein/transport';
import {
  agentConfig,
  type ClusterPlan,
  coordinatorConfig,
  lanSegment,
  placeProcess,
  storageConfig,
} from './configuration.ts';
import { chooseGround, type Ground } from './ground.ts';
import {
  readyNumber,
  type StartedProcess,
  type StartOptions,
  startProcess,
  stopProcesses,
} from './process.ts';
import { runningProcesses } from './running-processes.ts';
import {
  apiTokenFile,
  type BedKind,
  type ClusterFile,
  clusterFilePath,
  formatVersion,
  makePrivateFolder,
  metricsTokenFile,
  type ProcessRole,
  readClusterFile,
  writeClusterFile,
} from './state-folder.ts';

export interface LaunchOptions {
  readonly cluster: string;
  readonly bed: BedKind;
  readonly stateFolder: string;
  readonly hosts: number;
  readonly hostMemoryMib: number;
  readonly hostMhz?: number;
  /** `<digest>/manifest.json` of each guest image. */
  readonly imageFolder: string;
  /** Each host has its own when absent. */
  readonly templateFolder?: string;
  readonly isDetached: boolean;
  readonly clusterFile?: string;
  /** Without certificates and encryption between the cluster's programs. */
  readonly isInsecure?: boolean;
  readonly onProgress: (phase: string) => void;
  /** Looks at the cluster that has started; if it throws, all of it is stopped again. */
  readonly whenStarted?: (cluster: LaunchedCluster) => Promise<void>;
  /** Ends the launch; what was started is stopped. */
  readonly signal?: AbortSignal;
}

export interface LaunchedCluster extends ClusterFile {
  readonly apiUrl: string;
}

/** @throws OperationError cluster.running, process.died, timeout, address.unavailable, bed.unavailable */
export async function launchCluster(options: LaunchOptions): Promise<LaunchedCluster> {
  await refuseRunning(options.stateFolder);
  await makePrivateFolder(options.stateFolder);
  const hostNames = Array.from({ length: options.hosts }, (_, index) => `h${index + 1}`);
  const ground = await chooseGround(options.bed, hostNames, spread(options.stateFolder));
  const launch = new Launch(options, ground, {
    cluster: options.cluster,
    stateFolder: options.stateFolder,
    addresses: ground.addresses,
    hostNames,
    hostMemoryMib: options.hostMemoryMib,
    ...(options.hostMhz === undefined ? {} : { hostMhz: options.hostMhz }),
    imageFolder: options.imageFolder,
    ...(options.templateFolder === undefined ? {} : { templateFolder: options.templateFolder }),
    segments: [lanSegment],
    ...(options.clusterFile === undefined ? {} : { clusterFile: options.clusterFile }),
    isInsecure: options.isInsecure ?? false,
  });
  return await launch.run();
}

type Entry = Required<Pick<StartOptions, 'wordsBefore' | 'hasChannel'>>;

class Launch {
  readonly #options: LaunchOptions;
  readonly #ground: Ground;
  readonly #plan: ClusterPlan;
  readonly #started: StartedProcess[] = [];
  readonly #startedAtMs = Date.now();
  #apiUrl: string | null = null;

  constructor(options: LaunchOptions, ground: Ground, plan: ClusterPlan) {
    this.#options = options;
    this.#ground = ground;
    this.#plan = plan;
  }

  async run(): Promise<LaunchedCluster> {
    try {
      const launched = await this.#startAll();
      await this.#options.whenStarted?.(launched);
      return launched;
    } catch (error) {
      await stopProcesses(this.#started);
      await rm(clusterFilePath(this.#plan.stateFolder), { force: true });
      throw error;
    } finally {
      this.#ground.release();
    }
  }

  async #startAll(): Promise<LaunchedCluster> {
    const plan = this.#plan;
    for (const tokenFile of [apiTokenFile, metricsTokenFile])
      await ensureTokenFile(tokenFile(plan.stateFolder));
    if (this.#ground.bed === 'namespaces') this.#options.onProgress('making the networks');
    await this.#ground.prepare((config, wordsBefore) =>
      this.#start('gateway', 'gateway', config, { wordsBefore, hasChannel: true }),
    );
    // First, for all others get their certificates from it.
    this.#options.onProgress('starting the coordinator');
    const coordinator = await this.#start('coordinator', 'coordinator', coordinatorConfig(plan));
    const ready = await coordinator.ready();
    this.#options.onProgress('starting the storage service');
    const storage = await this.#start('storage', 'storage', storageConfig(plan));
    await storage.ready();
    this.#options.onProgress(`starting ${plan.hostNames.length} host agents`);
    await this.#startAgents();
    this.#refuseIfAborted();
    const apiUrl = `http://${this.#ground.apiAddress}:${readyNumber('coordinator', ready, 'apiPort')}`;
    this.#apiUrl = apiUrl;
    await this.#record();
    return { ...this.#file(), apiUrl };
  }

  /** All hosts are this machine: the first measures how fast it is, undisturbed, and the others are as fast. */
  async #startAgents(): Promise<void> {
    let { hostMhz } = this.#plan;
    const waiting: Promise<unknown>[] = [];
    for (const [index, name] of this.#plan.hostNames.entries()) {
      const plan = hostMhz === undefined ? this.#plan : { ...this.#plan, hostMhz };
      const host = { name, addresses: plan.addresses.hosts[index] ?? {} };
      const agent = await this.#start('agent', name, agentConfig(plan, host));
      if (hostMhz === undefined) hostMhz = measuredMhz(await agent.ready());
      else waiting.push(agent.ready());
    }
    await Promise.all(waiting);
  }

  /** Each process is on record before the next one starts: `down` finds it even if we are killed. */
  async #start(
    role: ProcessRole,
    name: string,
    config: unknown,
    { wordsBefore = this.#ground.wordsBefore(name), hasChannel = false }: Partial<Entry> = {},
  ): Promise<StartedProcess> {
    this.#refuseIfAborted();
    const place = placeProcess(this.#plan.stateFolder, name);
    const { isDetached } = this.#options;
    const started = await startProcess({ role, name, place, config, isDetached, wordsBefore, hasChannel });
    this.#started.push(started);
    await this.#record();
    return started;
  }

  #refuseIfAborted(): void {
    this.#options.signal?.throwIfAborted();
  }

  async #record(): Promise<void> {
    await writeClusterFile(this.#plan.stateFolder, this.#file());
  }

  #file(): ClusterFile {
    return {
      formatVersion,
      cluster: this.#plan.cluster,
      bed: this.#ground.bed,
      apiUrl: this.#apiUrl,
      apiTokenFile: apiTokenFile(this.#plan.stateFolder),
      startedAtMs: this.#startedAtMs,
      processes: this.#started.map(({ role, name, pid, configFile, logFile }) => ({
        role,
        name,
        pid,
        configFile,
        logFile,
      })),
    };
  }
}

async function refuseRunning(stateFolder: string): Promise<void> {
  const [one] = await runningProcesses(stateFolder, await readClusterFile(stateFolder));
  if (one === undefined) return;
  throw new OperationError({
    code: 'cluster.running',
    message:
      `a cluster already runs in ${stateFolder} (${one.name}, pid ${one.pid}); ` +
      'end it with `skein down`, or give another folder with --state',
    details: { stateFolder, pid: one.pid },
  });
}

function measuredMhz(ready: Readonly<Record<string, unknown>>): number {
  const { capacity } = ready as { readonly capacity?: Readonly<Record<string, unknown>> };
  return readyNumber('the first host', capacity ?? {}, 'cpuMhz');
}

/** Clusters in different folders begin to look for addresses at different numbers. */
function spread(stateFolder: string): number {
  return createHash('sha256').update(stateFolder).digest().readUInt16BE(0);
}
