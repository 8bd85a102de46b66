/** The coordinator put together: store, sessions, operations, control loop, API. The real environment is made here. */
import { randomBytes } from 'node:crypto';
import {
  type ClusterFile,
  type ClusterInfo,
  type CoordinatorConfig,
  type HostName,
  type MigrationLimits,
  OperationError,
  type Segment,
  type Timing,
  timingDefaults,
  type VmId,
} from '@skein/shared';
import { type Authentication, type CloseReason, type Identity, requireOwnAddress } from '@skein/transport';
import type { Logger } from 'pino';
import { createApp } from './api/app.ts';
import { Commands } from './api/commands.ts';
import { type ApiServer, serveApi } from './api/server.ts';
import { DeclaredVms } from './cluster-file/declared-vms.ts';
import { readClusterFile } from './cluster-file/read.ts';
import { ControlLoop } from './control-loop.ts';
import type { Environment } from './env.ts';
import { GuestImages } from './guest-images.ts';
import { openJoining } from './joining/joining.ts';
import { CoordinatorMetrics } from './metrics/coordinator-metrics.ts';
import { Executor } from './operations/executor.ts';
import type { Sighting } from './policy/inventory.ts';
import { AgentSessions } from './sessions/agents.ts';
import { listenForClients } from './sessions/clients.ts';
import { Consoles } from './sessions/consoles.ts';
import { LeaseReader } from './sessions/leases.ts';
import { Store } from './store/store.ts';
import { World } from './world.ts';

export interface CoordinatorOptions {
  readonly config: CoordinatorConfig;
  readonly apiToken: Uint8Array;
  /** Gives the right to read metrics only; null: nobody has that right alone. */
  readonly metricsToken: Uint8Array | null;
  readonly log: Logger;
  readonly timing?: Timing;
}

export interface RunningCoordinator {
  readonly address: string;
  readonly apiPort: number;
  readonly agentPort: number;
  readonly clientPort: number;
  /** Null in an insecure cluster: nobody needs to join. */
  readonly joinPort: number | null;
  /** Why VMs of the cluster file have not booted yet, a sentence each. */
  waiting(): readonly string[];
  close(): Promise<void>;
}

const version = '0.1.0';

/** @throws OperationError store.corrupt, cluster.running, config.invalid, address.in-use, address.unavailable */
export async function startCoordinator(options: CoordinatorOptions): Promise<RunningCoordinator> {
  const { config } = options;
  const images = new GuestImages(config.imageDirectory ?? null);
  const file = await readDeclared(config, images);
  const segments = [...config.segments, ...file.segments];
  const store = Store.open(config.stateDirectory);
  const closers: (() => Promise<void> | void)[] = [() => store.close()];
  const closeAll = async (): Promise<void> => {
    for (const close of closers.reverse()) await close();
  };
  try {
    const nowMs = (): number => Number(process.hrtime.bigint()) / 1e6;
    const wallMs = (): number => Date.now();
    const timing = options.timing ?? timingDefaults;
    const migrationLimits: MigrationLimits = {
      migrationsPerHostMax: file.migrationsPerHostMax ?? config.migrationsPerHostMax,
      migrationsPerClusterMax: file.migrationsPerClusterMax ?? config.migrationsPerClusterMax,
    };
    const world = new World({ store, segments, timing, migrationLimits, nowMs, wallMs });
    const running = await assemble(options, { world, file, images }, { nowMs, wallMs }, closers);
    world.event(
      'coordinator.started',
      `cluster/${config.cluster}`,
      `the coordinator started, process ${process.pid}`,
    );
    return { ...running, close: closeAll };
  } catch (error) {
    await closeAll();
    throw error;
  }
}

async function assemble(
  { config, apiToken, metricsToken, log }: CoordinatorOptions,
  { world, file, images }: { world: World; file: ClusterFile; images: GuestImages },
  clock: Pick<Environment, 'nowMs' | 'wallMs'>,
  closers: (() => Promise<void> | void)[],
): Promise<Omit<RunningCoordinator, 'close'>> {
  const own: Identity = { role: 'coordinator', name: 'coordinator', bootId: randomBytes(16).toString('hex') };
  const { localAddress, address: host, port } = config.storage;
  const managementAddress = requireOwnAddress(config.managementAddress);
  const { wallMs } = clock;
  const joining = config.insecure
    ? null
    : await openJoining(config, { world, address: managementAddress, log, wallMs });
  if (joining !== null) closers.push(() => joining.close());
  const cluster: Authentication = joining?.authentication ?? { kind: 'none' };
  const leases = new LeaseReader({
    host,
    port,
    localAddress,
    own,
    authentication: cluster,
    onDown: tellOnce((reason) => log.warn({ ...reason }, 'no link to the storage service')),
  });
  closers.push(() => leases.close());
  let agents: AgentSessions | null = null;
  const env: Environment = {
    ...clock,
    randomHex: (bytes) => randomBytes(bytes).toString('hex'),
    readLease: (vm) => leases.read(vm),
    listLeases: () => leases.list(),
    command: async (name, command, body, deadlineMs) => {
      if (agents !== null) return agents.command(name, command, body, deadlineMs);
      throw new OperationError({ code: 'link.closed', message: 'the coordinator is starting' });
    },
  };
  const executor = new Executor(world, env, log);
  const metrics = new CoordinatorMetrics(world, clock.nowMs);
  executor.onEnded = (record) => metrics.operationEnded(record);
  const consoles = new Consoles(
    env,
    (name, vm, bytes) => agents?.sendConsoleInput(name, vm, bytes),
    (vm, name) => isMigratingTo(world, vm, name),
  );
  executor.onPoweredOn = (vm, epoch) => consoles.poweredOn(vm, epoch);
  const copyOf = (id: VmId): Sighting | null => world.copyOf(id);
  const loop = new ControlLoop({
    world,
    env,
    executor,
    log,
    sendView: (view) => agents?.sendView(view),
    afterTurn: () => {
      consoles.follow(copyOf, (id) => isUncertain(world, id));
      declared.turn();
    },
  });
  const startedAtMs = clock.wallMs();
  let clientPort = 0;
  const commands = new Commands(world, executor, env, images);
  const declared = new DeclaredVms({ file, world, commands, images, nowMs: clock.nowMs });
  const info = (): ClusterInfo => {
    const { declared: vms, ready, waiting } = declared.state();
    return {
      cluster: config.cluster,
      version,
      pid: process.pid,
      clientPort,
      startedAtMs,
      declared: { vms, ready, waiting: [...waiting] },
    };
  };
  const app = createApp({
    world,
    env,
    executor,
    commands,
    tokens: { api: apiToken, metrics: metricsToken },
    metrics,
    joinTokens: joining?.tokens ?? null,
    hostNames: config.apiHostNames,
    info,
    log,
  });

  agents = await AgentSessions.start({
    address: managementAddress,
    port: config.agentPort,
    own,
    authentication: cluster,
    world,
    nowMs: clock.nowMs,
    log,
    view: () => loop.view,
    onLinkClosed: (name: HostName) => consoles.linkLost(name),
    onMigrationEnded: (host, side, record) => executor.migrationEnded(host, side, record),
    onMigrationProgress: (host, progress) => executor.progress(host, progress),
    onConsole: (name, output) => consoles.heard(name, output),
    onHeartbeat: (name, sinceMs) => metrics.heartbeat(name, sinceMs - world.timing.heartbeatPeriodMs),
  });
  const sessions = agents;
  closers.push(() => sessions.close());
  const clients = await listenForClients({
    address: managementAddress,
    port: config.clientPort,
    own,
    authentication: { kind: 'token', token: apiToken },
    world,
    consoles,
    copyOf,
    log,
  });
  clientPort = clients.port;
  closers.push(() => clients.close());
  const api: ApiServer = await serveApi(app.fetch, managementAddress, config.apiPort);
  closers.push(() => api.close());
  loop.start();
  closers.push(() => loop.stop());
  return {
    address: managementAddress,
    waiting: () => declared.state().waiting,
    apiPort: api.port,
    agentPort: agents.port,
    clientPort,
    joinPort: joining?.port ?? null,
  };
}

/** Attempts that fail like the one before are not told again. */
function tellOnce(tell: (reason: CloseReason) => void): (reason: CloseReason) => void {
  let told = '';
  return (reason) => {
    if (reason.message === told) return;
    told = reason.message;
    tell(reason);
  };
}

/** From then on the target may tell what the guest says. */
function isMigratingTo(world: World, id: VmId, host: HostName): boolean {
  const operation = world.store.operations.activeOf(id);
  return operation?.kind === 'vm-migrate' && operation.targetHost === host;
}

/** It was decided for a host that cannot be asked now and has not failed. */
function isUncertain(world: World, id: VmId): boolean {
  const host = world.hosts.get(world.store.desired.get(id).host ?? '');
  return host !== undefined && host.link === null && host.verdict.state !== 'failed';
}

/**
 * What the configuration's cluster file declares, once nothing stands against it.
 * @throws OperationError config.unreadable, config.invalid, image.not-found
 */
async function readDeclared(config: CoordinatorConfig, images: GuestImages): Promise<ClusterFile> {
  refuseDoubledSegments(config.segments);
  if (config.clusterFile === undefined) return { segments: [], vms: [] };
  const { segments, largestHost } = config;
  return await readClusterFile(config.clusterFile, {
    segments,
    largestHost,
    memoryMibMinOf: (image) => images.memoryMibMin(images.resolve(image)),
  });
}

/** @throws OperationError config.unreadable, config.invalid, image.not-found */
export async function checkCoordinator(config: CoordinatorConfig): Promise<void> {
  await readDeclared(config, new GuestImages(config.imageDirectory ?? null));
}

function refuseDoubledSegments(segments: readonly Segment[]): void {
  const problems = (['name', 'vni'] as const).flatMap((key) => {
    const values = segments.map((segment) => segment[key]);
    return values
      .filter((value, index) => values.indexOf(value) !== index)
      .map((value) => `two segments have the ${key} ${value}`);
  });
  if (problems.length > 0) throw new OperationError({ code: 'config.invalid', message: problems.join('; ') });
}
