/**
 * What agents and the coordinator say to each other on the management network; the agent dials. An agent holds
 * two links: `agent` (orchestration) and `agent-heartbeat` (liveness alone, from a worker of its own, so that
 * nothing delays it). Level-triggered: a full status follows each reconnect, so a lost message heals.
 */
import { z } from 'zod';
import { Bytes, bytesUpTo } from '../bytes.ts';
import { BootId, Epoch, HostName, MacAddress, Name, OperationId, VmId } from '../ids.ts';
import { TemplateRecipe } from '../model/guest-start.ts';
import { HostIdentity } from '../model/host.ts';
import { MigrationProgress, MigrationRecord, MigrationSettings } from '../model/migration.ts';
import { HostAddresses, IpV4Address, NetworkKind, PeerPorts, Segment, TcpPort } from '../model/network.ts';
import { MachineSpec, VmReport } from '../model/vm.ts';
import type { ProtocolDefinition } from './definition.ts';

/** Who may send with a MAC: obeyed by every switch, a higher epoch wins (safety: rule 4). */
export const MacOwner = z.strictObject({
  mac: MacAddress,
  segment: Name,
  vm: VmId,
  host: HostName,
  epoch: Epoch,
});
export type MacOwner = z.infer<typeof MacOwner>;

/** How a host is reached by the others: where it listens for peers, and its switch (on guest-a). */
export const PeerHost = z.strictObject({
  host: HostName,
  addresses: HostAddresses,
  peerPorts: PeerPorts,
  vxlanPort: TcpPort.nullable(),
});
export type PeerHost = z.infer<typeof PeerHost>;

/** Memory sizes and images that are in use at the same time; of more, some guests boot. */
export const templateRecipesMax = 16;

/** Everything an agent must know of the others to go on without a coordinator. */
export const ClusterView = z.strictObject({
  version: z.int().min(0),
  segments: z.array(Segment).max(1024),
  peers: z.array(PeerHost).max(1024),
  owners: z.array(MacOwner).max(65_536),
  /** What guests of this cluster start from: a host that has it starts them, also after a failure, without a boot. */
  templates: z.array(TemplateRecipe).max(templateRecipesMax),
});
export type ClusterView = z.infer<typeof ClusterView>;

/** A peer that was not heard on a network for too long. */
export const SilentPeer = z.strictObject({
  host: HostName,
  network: NetworkKind,
  silentMs: z.number().min(0),
});
export type SilentPeer = z.infer<typeof SilentPeer>;

/** What became of one of a host's own networks; an address that is null: none, its link is down. */
export const NetworkChange = z.strictObject({
  network: NetworkKind,
  from: IpV4Address.nullable(),
  to: IpV4Address.nullable(),
  /** Counts the changes of one process: a change that is told twice is one event. */
  sequence: z.int().min(1),
  /** How long ago it was when this was sent, on the host's monotonic clock. */
  agoMs: z.number().min(0),
});
export type NetworkChange = z.infer<typeof NetworkChange>;

/** Changes that a host keeps while it cannot tell them; the oldest go first. */
export const networkChangesMax = 64;

export const AgentStatus = z.strictObject({
  vms: z.array(VmReport).max(4096),
  /** Only those of the view's peers that are not heard: all others are. */
  silentPeers: z.array(SilentPeer).max(8192),
  usedMhz: z.number().min(0),
  usedMemoryMib: z.int().min(0),
});
export type AgentStatus = z.infer<typeof AgentStatus>;

/** Bytes of a guest's console; `position` counts all bytes since power-on, so that a reader can splice. */
export const ConsoleOutput = z.strictObject({
  vm: VmId,
  position: z.int().min(0),
  bytes: Bytes,
});
export type ConsoleOutput = z.infer<typeof ConsoleOutput>;

export const consoleInputBytesMax = 4096;

export const ConsoleInput = z.strictObject({
  vm: VmId,
  bytes: bytesUpTo(consoleInputBytesMax),
});

const Empty = z.strictObject({});

export const VmStartCommand = z.strictObject({
  operation: OperationId,
  vm: VmId,
  name: Name,
  machine: MachineSpec,
  /** The epoch the lease has now; acquiring it raises it by one (compare-and-set). */
  expectEpoch: Epoch,
});
export type VmStartCommand = z.infer<typeof VmStartCommand>;

export const VmStopCommand = z.strictObject({ operation: OperationId, vm: VmId, epoch: Epoch });
export type VmStopCommand = z.infer<typeof VmStopCommand>;

export const MigrationSourceCommand = z.strictObject({
  operation: OperationId,
  vm: VmId,
  epoch: Epoch,
  targetHost: HostName,
  settings: MigrationSettings,
});
export type MigrationSourceCommand = z.infer<typeof MigrationSourceCommand>;

export const MigrationTargetCommand = z.strictObject({
  operation: OperationId,
  vm: VmId,
  name: Name,
  machine: MachineSpec,
  epoch: Epoch,
  sourceHost: HostName,
  sourceAddress: IpV4Address,
  sourcePort: TcpPort,
  deadlineMs: z.number().min(1000).max(3_600_000),
});
export type MigrationTargetCommand = z.infer<typeof MigrationTargetCommand>;

export const agentCoordinatorProtocol = {
  name: 'agent-coordinator',
  roles: { dialer: ['agent', 'agent-heartbeat'], listener: ['coordinator'] },
  fromDialer: {
    requests: {
      /** First message of an `agent` link, again after each reconnect. */
      'agent.register': {
        request: z.strictObject({ identity: HostIdentity, status: AgentStatus }),
        reply: z.strictObject({ view: ClusterView }),
      },
      /**
       * Liveness, each 250 ms on the `agent-heartbeat` link. `echo` is the sequence of the last acknowledgement
       * received: the coordinator stops granting when it is too old (safety: rule 3).
       */
      heartbeat: {
        request: z.strictObject({
          host: HostName,
          bootId: BootId,
          sequence: z.int().min(1),
          echo: z.int().min(0),
        }),
        /** The host lease counts from the send time of the heartbeat, on the agent's clock. `granted` false: not now. */
        reply: z.strictObject({ sequence: z.int().min(1), granted: z.boolean(), ttlMs: z.int().min(0) }),
      },
      /** Repeated until acknowledged: what happened to a host's networks is told when it can be told again. */
      'host.network-changes': {
        request: z.strictObject({ changes: z.array(NetworkChange).max(networkChangesMax) }),
        reply: Empty,
      },
      /** Repeated until acknowledged, also after a reconnect: the coordinator may have been away. */
      'migration.ended': {
        request: z.strictObject({ side: z.enum(['source', 'target']), record: MigrationRecord }),
        reply: Empty,
      },
    },
    notices: {
      'agent.status': AgentStatus,
      'migration.progress': MigrationProgress,
      'console.output': ConsoleOutput,
    },
  },
  fromListener: {
    requests: {
      /** Repeating it with the same operation has one effect. */
      'vm.start': { request: VmStartCommand, reply: z.strictObject({ epoch: Epoch }) },
      'vm.stop': { request: VmStopCommand, reply: Empty },
      'migration.source': {
        request: MigrationSourceCommand,
        reply: z.strictObject({ address: IpV4Address, port: TcpPort }),
      },
      'migration.target': { request: MigrationTargetCommand, reply: Empty },
      /** Before the commit only; afterwards it changes nothing. */
      'migration.cancel': { request: z.strictObject({ operation: OperationId }), reply: Empty },
      /** To the target, which the source could not tell: it went on and will never pass the lease in this migration. */
      'migration.source-aborted': {
        request: z.strictObject({ operation: OperationId, vm: VmId, reason: z.string().max(500) }),
        /** False: nothing of this migration is here any more, its copy included. */
        reply: z.strictObject({ isUnderWay: z.boolean() }),
      },
      /** From now on the VM's console output is sent as `console.output`; the reply has the last 64 KiB. */
      'console.attach': {
        request: z.strictObject({ vm: VmId }),
        reply: z.strictObject({ position: z.int().min(0), backlog: Bytes }),
      },
      'console.detach': { request: z.strictObject({ vm: VmId }), reply: Empty },
    },
    notices: {
      'cluster.view': ClusterView,
      'console.input': ConsoleInput,
    },
  },
} as const satisfies ProtocolDefinition;
