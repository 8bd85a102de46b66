/**
 * The decision of a virtual switch about one frame: who gets it, or why nobody does, and what is learned from it.
 * A pure function of the state and the time it is given; the switch carries the decision out. Learning and
 * flooding after IEEE 802.1Q "Principles of Bridge operation"; towards peers after RFC 7348, "Unicast VM-to-VM
 * Communication", with head-end replication in place of IP multicast.
 * Omitted: spanning tree; loops cannot arise, as what came from a peer is never sent to a peer.
 */
import {
  destinationOf,
  ethernetHeaderBytes,
  isGroupMac,
  isReservedGroupMac,
  type MacNumber,
  sourceOf,
} from './ethernet.ts';
import type { Attachment, MacTable } from './mac-table.ts';
import type { OwnerTable } from './owner-table.ts';
import {
  type PolicyVerdict,
  type SecurityPolicy,
  type SegmentId,
  type SegmentKey,
  segmentKey,
} from './port-group.ts';
import { readVlanTag, withoutVlanTag } from './vlan.ts';

/** Given by the switch, never used again in its life. */
export type PortId = number;

export interface SwitchPort {
  readonly id: PortId;
  readonly segment: SegmentKey;
  readonly policy: SecurityPolicy;
  readonly vm: string;
  /** The address the VM was configured with: it is the one that is owned. */
  readonly mac: MacNumber;
  /** What the guest made of it. */
  readonly effectiveMac: MacNumber;
  readonly epoch: number;
}

export interface SegmentPorts {
  readonly id: SegmentId;
  readonly ports: ReadonlyMap<PortId, SwitchPort>;
}

/** Another host's end of the tunnel. */
export interface Peer {
  readonly host: string;
  readonly address: string;
  readonly port: number;
}

export interface ForwardingState {
  readonly host: string;
  readonly hasUplink: boolean;
  readonly frameBytesMax: number;
  /** What becomes of frames from addresses that nobody owns. */
  readonly unownedSources: PolicyVerdict;
  readonly ports: ReadonlyMap<PortId, SwitchPort>;
  readonly segments: ReadonlyMap<SegmentKey, SegmentPorts>;
  readonly peers: ReadonlyMap<string, Peer>;
  readonly peersByAddress: ReadonlyMap<string, Peer>;
  readonly owners: Pick<OwnerTable, 'lookup'>;
  readonly learned: Pick<MacTable, 'lookup' | 'isNews'>;
}

export type Ingress =
  | { readonly kind: 'port'; readonly port: PortId }
  | { readonly kind: 'tunnel'; readonly address: string; readonly vni: number };

export const dropReasons = [
  /** No such port (any more). */
  'unknown-port',
  /** The outer source address is no peer's. */
  'unknown-peer',
  /** No port group here has the VNI and VLAN id. */
  'unknown-segment',
  'runt',
  'oversize',
  /** A guest must not choose its VLAN, and a peer's tag must be a plain one. */
  'tagged',
  /** The source is zero or a group address. */
  'bad-source',
  /** The source is not the port's address, and its policy rejects forged transmits. */
  'forged-source',
  /** A higher epoch is known for the port's address: this copy of the VM is fenced. */
  'stale-epoch',
  /** The source address belongs to another host or VM. */
  'not-owner',
  /** Nobody owns the source address. */
  'unowned-source',
  /** The VM's lease is over: the output guard said no. */
  'lease-over',
  'reserved-destination',
  /** The destination is known to be where this frame must not or cannot go. */
  'no-way',
  /** The receiving side had no room. */
  'receiver-full',
] as const;

export type DropReason = (typeof dropReasons)[number];

/** What carrying out a decision changes in the state. */
export interface Learning {
  readonly segment: SegmentKey;
  readonly mac: MacNumber;
  readonly attachment: Attachment;
}

export type Forwarding =
  | { readonly kind: 'dropped'; readonly reason: DropReason }
  | {
      readonly kind: 'forwarded';
      /** Without tag. */
      readonly frame: Uint8Array;
      readonly segment: SegmentId;
      readonly ports: readonly PortId[];
      readonly peers: readonly Peer[];
      readonly learning: Learning | null;
    };

/** `nowMs` is the monotonic clock that the state's MAC table is kept by. */
export function forward(
  state: ForwardingState,
  ingress: Ingress,
  received: Uint8Array,
  nowMs: number,
): Forwarding {
  if (received.length < ethernetHeaderBytes) return dropped('runt');
  const admission =
    ingress.kind === 'port'
      ? admitFromPort(state, ingress.port, received)
      : admitFromTunnel(state, ingress.address, ingress.vni, received);
  if (typeof admission === 'string') return dropped(admission);

  const { frame, segment, key, from } = admission;
  if (frame.length > state.frameBytesMax) return dropped('oversize');
  const destination = destinationOf(frame);
  if (isReservedGroupMac(destination)) return dropped('reserved-destination');
  const outputs = isGroupMac(destination)
    ? floodGroup(state, admission)
    : findStation(state, admission, destination, nowMs);
  if (outputs === null) return dropped('no-way');

  const mac = sourceOf(frame);
  const learning = state.learned.isNews(key, mac, from, nowMs)
    ? { segment: key, mac, attachment: from }
    : null;
  return { kind: 'forwarded', frame, segment: segment.id, ...outputs, learning };
}

/** Nothing passes a port, in or out, unless this host owns the port's address with the port's very epoch. */
export function portState(
  state: Pick<ForwardingState, 'host' | 'owners' | 'unownedSources'>,
  port: SwitchPort,
): 'open' | 'stale-epoch' | 'not-owner' | 'unowned-source' {
  const owner = state.owners.lookup(port.segment, port.mac);
  if (owner === undefined) return state.unownedSources === 'accept' ? 'open' : 'unowned-source';
  if (owner.vm !== port.vm) return 'not-owner';
  if (owner.epoch > port.epoch) return 'stale-epoch';
  return owner.host === state.host && owner.epoch === port.epoch ? 'open' : 'not-owner';
}

/** A frame that may enter the segment, without tag. */
interface Admission {
  readonly frame: Uint8Array;
  readonly key: SegmentKey;
  readonly segment: SegmentPorts;
  readonly from: Attachment;
}

function admitFromPort(state: ForwardingState, id: PortId, received: Uint8Array): Admission | DropReason {
  const port = state.ports.get(id);
  const segment = port && state.segments.get(port.segment);
  if (port === undefined || segment === undefined) return 'unknown-port';
  const tag = readVlanTag(received);
  if (tag.kind === 'unsupported' || (tag.kind === 'tagged' && tag.vlan !== 0)) return 'tagged';
  const frame = tag.kind === 'tagged' ? withoutVlanTag(received) : received;

  const source = sourceOf(frame);
  if (!isStation(source)) return 'bad-source';
  const portIs = portState(state, port);
  if (portIs !== 'open') return portIs;
  if (source !== port.effectiveMac && port.policy.forgedTransmits === 'reject') return 'forged-source';
  if (source !== port.mac) {
    // A station behind the guest, or its changed address: nobody else's, whatever the policy allows.
    const owner = state.owners.lookup(port.segment, source);
    if (owner !== undefined && (owner.host !== state.host || owner.vm !== port.vm)) return 'not-owner';
  }
  return { frame, key: port.segment, segment, from: { kind: 'port', port: id } };
}

function admitFromTunnel(
  state: ForwardingState,
  address: string,
  vni: number,
  received: Uint8Array,
): Admission | DropReason {
  const peer = state.peersByAddress.get(address);
  if (peer === undefined) return 'unknown-peer';
  const tag = readVlanTag(received);
  if (tag.kind === 'unsupported') return 'tagged';
  const vlan = tag.kind === 'tagged' ? tag.vlan : 0;
  if (vni === 0) return 'unknown-segment'; // 0 is the key of segments without a VNI, which no peer may reach
  const key = segmentKey({ vni, vlan });
  const segment = state.segments.get(key);
  if (segment === undefined) return 'unknown-segment';
  const frame = tag.kind === 'tagged' ? withoutVlanTag(received) : received;

  const source = sourceOf(frame);
  if (!isStation(source)) return 'bad-source';
  const owner = state.owners.lookup(key, source);
  if (owner === undefined && state.unownedSources === 'reject') return 'unowned-source';
  if (owner !== undefined && owner.host !== peer.host) return 'not-owner';
  return { frame, key, segment, from: { kind: 'peer', host: peer.host } };
}

interface Outputs {
  readonly ports: readonly PortId[];
  readonly peers: readonly Peer[];
}

/** Broadcast and multicast: every port of the segment, and every peer unless it came from one. */
function floodGroup(state: ForwardingState, admission: Admission): Outputs {
  return { ports: receivers(state, admission, () => true), peers: floodPeers(state, admission) };
}

function findStation(
  state: ForwardingState,
  admission: Admission,
  destination: MacNumber,
  nowMs: number,
): Outputs | null {
  const { key, segment, from } = admission;
  const watches = (port: SwitchPort) => port.policy.promiscuous === 'accept';
  const toPort = (isMeant: (port: SwitchPort) => boolean): Outputs | null => {
    const ports = receivers(state, admission, (port) => isMeant(port) || watches(port));
    return ports.length === 0 ? null : { ports, peers: [] };
  };
  const owner = state.owners.lookup(key, destination);
  if (owner?.host === state.host || (owner === undefined && hasStation(segment, destination))) {
    return toPort((port) => port.mac === destination);
  }
  const learned = owner === undefined ? state.learned.lookup(key, destination, nowMs) : undefined;
  if (learned?.kind === 'port') return toPort((port) => port.id === learned.port);

  const remoteHost = owner?.host ?? learned?.host;
  if (remoteHost !== undefined) {
    const peer = state.peers.get(remoteHost);
    const peers = peer === undefined || !mayReachPeers(state, admission) ? [] : [peer];
    const ports = receivers(state, admission, watches);
    return ports.length + peers.length === 0 ? null : { ports, peers };
  }
  // Unknown: a port that must send with its own address only has no other station behind it, so it need not see this.
  const ports = receivers(
    state,
    admission,
    (port) => watches(port) || port.policy.forgedTransmits === 'accept' || port.effectiveMac === destination,
  );
  const peers = from.kind === 'port' ? floodPeers(state, admission) : [];
  return { ports, peers };
}

function hasStation(segment: SegmentPorts, mac: MacNumber): boolean {
  for (const port of segment.ports.values()) {
    if (port.mac === mac) return true;
  }
  return false;
}

/** Open ports of the frame's segment that `isWanted`, never the one it came from. */
function receivers(
  state: ForwardingState,
  admission: Admission,
  isWanted: (port: SwitchPort) => boolean,
): PortId[] {
  const { from, segment } = admission;
  const ids: PortId[] = [];
  for (const port of segment.ports.values()) {
    if (from.kind === 'port' && from.port === port.id) continue;
    if (isWanted(port) && mayReceive(state, port)) ids.push(port.id);
  }
  return ids;
}

function mayReceive(state: ForwardingState, port: SwitchPort): boolean {
  if (port.effectiveMac !== port.mac && port.policy.macChanges === 'reject') return false;
  return portState(state, port) === 'open';
}

/** Split horizon: what came from a peer is not sent to peers. A segment without VNI never leaves. */
function mayReachPeers(state: ForwardingState, admission: Admission): boolean {
  return state.hasUplink && admission.from.kind === 'port' && admission.segment.id.vni !== null;
}

function floodPeers(state: ForwardingState, admission: Admission): readonly Peer[] {
  return mayReachPeers(state, admission) ? [...state.peers.values()] : [];
}

/** An address that one station can have. */
function isStation(mac: MacNumber): boolean {
  return mac !== 0 && !isGroupMac(mac);
}

function dropped(reason: DropReason): Forwarding {
  return { kind: 'dropped', reason };
}
