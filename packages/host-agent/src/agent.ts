/** A host agent put together: threads started, sockets bound, links kept. State lives in the parts; this wires them. */
import { randomBytes } from 'node:crypto';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { loadCore, machineVersion } from '@skein/machine';
import { MetricsEndpoint } from '@skein/metrics';
import {
  type AgentConfig,
  type ClusterView,
  type HostIdentity,
  type MacOwner,
  OperationError,
  type OwnAddress,
  timingDefaults,
} from '@skein/shared';
import { awaitTokenFile } from '@skein/transport';
import type { Logger } from 'pino';
import { measureCpuMhz } from './capacity.ts';
import { CoordinatorSession } from './coordinator-session.ts';
import { settleHostName } from './host-name.ts';
import { Hypervisor } from './hypervisor.ts';
import { ImageStore } from './image/image-store.ts';
import { joinCluster } from './join-cluster.ts';
import { LeaseKeeper } from './lease/lease-keeper.ts';
import { type HostParts, hostRegistry } from './metrics/host-metrics.ts';
import { MigrationService } from './migration/migration-service.ts';
import { AddressWatch } from './network/address-watch.ts';
import { followAddresses } from './network/follow-addresses.ts';
import { PeerLinks } from './network/peer-links.ts';
import { SwitchHandle } from './network/switch-handle.ts';
import { TemplateStore } from './template/template-store.ts';
import { GuestStart } from './vm/guest-start.ts';

/** The first heartbeat follows the registration at once; without it the coordinator tells why. */
const firstLeaseWaitMs = 5000;
/** The storage service answers within milliseconds if it runs; if it does not, it is told of when it is needed. */
const storageWaitMs = 1000;

export interface RunningAgent {
  readonly identity: HostIdentity;
  close(): Promise<void>;
}

/**
 * Resolves when the coordinator has accepted this host.
 * @throws OperationError config.invalid, address.in-use, address.unavailable; link.unauthenticated,
 * link.protocol-version where the coordinator or the storage service will never have it
 */
export async function startAgent(
  config: AgentConfig,
  log: Logger,
  onFatal: (error: Error) => void,
): Promise<RunningAgent> {
  await mkdir(config.stateDirectory, { recursive: true, mode: 0o700 });
  const bootId = randomBytes(16).toString('hex');
  const managementAddress = required(config, 'management');
  const storageAddress = required(config, 'storage-a');
  const host = await settleHostName({ configured: config.host, stateDirectory: config.stateDirectory });
  const membership = await joinCluster(config, host, log);
  const { authentication } = membership;
  const own = { role: 'agent', name: host, bootId };
  const watch = new AddressWatch(config.addresses);
  const core = await loadCore();
  const cpuMhz = config.capacity.cpuMhz ?? measureCpuMhz(core);

  let peers: PeerLinks | null = null;
  let session: CoordinatorSession | null = null;
  let tellIdentity = (): void => {};
  const network = await SwitchHandle.start({
    host,
    hasUplink: config.addresses['guest-a'] !== undefined,
    guestAddress: watch.current['guest-a'] ?? null,
    vxlanPort: config.vxlanPort,
    announceOwners: (owners) => peers?.announce(owners),
    onConflict: (owner) => log.error({ owner }, 'another host claims an address at the same epoch'),
    onUplinkUp: () => tellIdentity(),
    onUplinkDown: (reason) => log.error({ reason }, 'the guest network cannot be used'),
    onDied: onFatal,
  });
  const leases = new LeaseKeeper({
    host,
    bootId,
    authentication,
    managementAddress,
    storageAddress,
    coordinator: config.coordinator,
    storage: config.storage,
  });
  leases.onDied(onFatal);
  const templates = await openTemplates(config, core.digest, log);
  const images = new ImageStore(config.imageDirectory);
  const hypervisor = new Hypervisor({
    core,
    guests: new GuestStart(images, templates),
    templates,
    leases,
    network,
    capacity: { cpuMhz, memoryMib: config.capacity.memoryMib },
    log,
    onChange: () => session?.changed(),
    onConsole: (vm, position, bytes) => session?.consoleOutput(vm, position, bytes),
  });
  const migrations = new MigrationService({
    host,
    bootId,
    authentication,
    core,
    machineVersion,
    hypervisor,
    images,
    migrationAddress: config.addresses.migration ?? null,
    storageAddress,
    storage: config.storage,
    log,
    onProgress: (progress) => session?.progress(progress),
    isConsoleRead: (vm) => session?.isAttached(vm) ?? false,
    onConsoleRead: (vm, position) => session?.tellOn(vm, position),
    onEnded: (side, record) => session?.migrationEnded(side, record),
    silenceMs: (peer) => peers?.silenceMs(peer, 'migration') ?? null,
  });
  const links = await PeerLinks.open({
    own,
    configured: config.addresses,
    current: () => watch.current,
    port: config.peerPort,
    authentication,
    timing: timingDefaults,
    onOwners: (owners) => network.setOwners(owners),
    ownOwners: () => ownOwners(hypervisor, host),
    onRejected: (on, reason, address) => log.warn({ network: on, ...reason, address }, 'peer rejected'),
    onSilence: (fallenSilent) => {
      for (const peer of fallenSilent) {
        log.warn(peer, 'a peer is not heard');
        if (peer.network === 'migration') migrations.peerSilent(peer.host, peer.silentMs);
      }
      session?.changed();
    },
  });
  peers = links;
  const metrics = await serveMetrics(config, log, {
    hypervisor,
    migrations,
    leases,
    network,
    peers: links,
    isRegistered: () => session?.isRegistered ?? false,
    configured: config.addresses,
    addresses: () => watch.current,
  });
  const identity = (): HostIdentity => ({
    name: host,
    bootId,
    pid: process.pid,
    capacity: { cpuMhz, memoryMib: config.capacity.memoryMib },
    addresses: watch.current,
    peerPorts: links.ports,
    vxlanPort: network.vxlanPort,
    metricsPort: metrics?.port ?? null,
    machineVersion,
  });
  // A host whose VM leases are refused must not become part of the cluster.
  await leases.awaitStorage(storageWaitMs);
  session = new CoordinatorSession({
    identity: identity(),
    localAddress: managementAddress,
    coordinator: config.coordinator,
    authentication,
    hypervisor,
    migrations,
    silentPeers: () => links.silent,
    log,
    onView: (view: ClusterView) => {
      network.setView(view);
      links.setPeers(view.peers);
      hypervisor.wantTemplates(view.templates);
    },
  });
  tellIdentity = () => session?.identityChanged(identity());
  const stopFollowing = followAddresses(watch, {
    network,
    peers: links,
    migrations,
    leases,
    metrics,
    log,
    onChanges: (changes) => session?.networksChanged(changes, identity()),
    onListening: tellIdentity,
  });
  await session.registered;
  // Ready means: something can be placed here.
  await leases.awaitHostLease(firstLeaseWaitMs);
  return {
    identity: identity(),
    close: async () => {
      stopFollowing();
      membership.close();
      session?.close();
      await hypervisor.close();
      await Promise.all([migrations.close(), links.close(), network.close(), metrics?.close()]);
      await leases.close();
    },
  };
}

/** On the management address; null where the configuration does not ask for it. */
async function serveMetrics(
  { metrics, addresses }: AgentConfig,
  log: Logger,
  parts: HostParts,
): Promise<MetricsEndpoint | null> {
  if (metrics === undefined || addresses.management === undefined) return null;
  return await MetricsEndpoint.open({
    address: addresses.management,
    port: metrics.port,
    token: await awaitTokenFile(metrics.tokenFile),
    source: hostRegistry(parts),
    onFailed: (error) => log.error({ err: error }, 'the metrics could not be read'),
  });
}

/** Without a place for templates every guest boots its kernel, which is no reason not to start. */
async function openTemplates(config: AgentConfig, coreDigest: string, log: Logger): Promise<TemplateStore> {
  const directory = config.templateDirectory ?? join(config.stateDirectory, 'templates');
  const templates = new TemplateStore(directory, coreDigest);
  await templates.open().catch((error: unknown) => {
    log.warn({ directory, reason: String(error) }, 'templates cannot be kept: guests boot their kernel');
  });
  return templates;
}

/** What this host may claim: the addresses of VMs that run here under a lease. */
function ownOwners(hypervisor: Hypervisor, host: string): MacOwner[] {
  return hypervisor
    .present()
    .flatMap((vm) =>
      vm.state === 'incoming' || vm.state === 'stopping'
        ? []
        : vm.machine.nics.map(({ mac, segment }) => ({ mac, segment, vm: vm.vm, host, epoch: vm.epoch })),
    );
}

function required(config: AgentConfig, kind: 'management' | 'storage-a'): OwnAddress {
  const address = config.addresses[kind];
  if (address !== undefined) return address;
  throw new OperationError({
    code: 'config.invalid',
    message: `addresses.${kind} is missing: an agent needs it`,
  });
}
