/**
 * A host's virtual switch: it keeps the state (port groups, ports, owners, peers, learned addresses, counters) and
 * carries out what `forward` decides, on the uplink it was given. Without an uplink it is a private switch, and
 * nothing leaves or enters. It is synchronous and starts nothing by itself; the switch worker drives it.
 * Omitted: teams and shaping of uplinks; one uplink, as fast as the socket.
 */
import { invariant } from '@skein/shared';
import { ethernetHeaderBytes, formatMac, isGroupMac, parseMac } from './ethernet.ts';
import {
  type DropReason,
  type Forwarding,
  type ForwardingState,
  forward,
  type Ingress,
  type Peer,
  type PortId,
  portState,
  type SegmentPorts,
  type SwitchPort,
} from './forward.ts';
import { MacTable, type MacTableLimits, macTableLimitsDefault } from './mac-table.ts';
import { type OwnerChange, type OwnerRecord, OwnerTable } from './owner-table.ts';
import { PeerTable } from './peer-table.ts';
import {
  type PolicyVerdict,
  type PortGroup,
  type SegmentId,
  type SegmentKey,
  segmentKey,
} from './port-group.ts';
import { rarpAnnouncement } from './rarp.ts';
import { Traffic, type TrafficCounters } from './traffic.ts';
import { withVlanTag } from './vlan.ts';
import type { TunnelPacket, Uplink } from './vxlan-tunnel.ts';

export interface VirtualSwitchOptions {
  /** This host's name, as the owner table spells it. */
  readonly host: string;
  /** Absent: a private switch. */
  readonly uplink?: Uplink;
  /** Monotonic clock in ms. */
  readonly nowMs: () => number;
  /** Largest payload of a guest's frame, 1,500 by default. */
  readonly mtuBytes?: number;
  /** Frames from addresses that are in no owner record; 'accept' only beside switches that are not ours. */
  readonly unownedSources?: PolicyVerdict;
  readonly macTable?: MacTableLimits;
  /** Counts the uplink's frames; one that other threads read, if given. */
  readonly uplinkTraffic?: Traffic;
}

export interface PortOptions {
  /** Name of a port group of this switch. */
  readonly portGroup: string;
  readonly vm: string;
  readonly nic: number;
  /** `MacAddress` of the shared schemas. */
  readonly mac: string;
  /** Epoch of the VM's lease; the port stays shut until the owner table names this host with this very epoch. */
  readonly epoch: number;
  /** Takes a frame for the guest, or says false for want of room. It must not keep the array unless it copies. */
  readonly deliver: (frame: Uint8Array) => boolean;
  /** The output guard: false when the VM's lease deadline has passed. Asked before each frame leaves. */
  readonly mayOutput: () => boolean;
  /** Counts the port's frames; one that other threads read, if given. */
  readonly traffic?: Traffic;
}

/** An owner record in the words of the shared `MacOwner`, its segment resolved. */
export interface MacOwnership {
  readonly vni: number | null;
  /** 0 by default. */
  readonly vlan?: number;
  readonly mac: string;
  readonly vm: string;
  readonly host: string;
  readonly epoch: number;
}

/** Direction as the guest sees it. */
export type MirrorSink = (frame: Uint8Array, direction: 'from-guest' | 'to-guest') => void;

export type TransmitResult = 'forwarded' | DropReason;

export type PortState = ReturnType<typeof portState>;

export interface PortStatus {
  readonly port: PortId;
  readonly portGroup: string;
  readonly vm: string;
  readonly nic: number;
  readonly mac: string;
  readonly epoch: number;
  readonly state: PortState;
  readonly traffic: TrafficCounters;
}

export interface SwitchStatus {
  readonly ports: readonly PortStatus[];
  readonly uplink: TrafficCounters;
  readonly owners: number;
  readonly learned: number;
  readonly peers: number;
  /** Owner claims that were refused although their sender meant them, by kind. */
  readonly refusedOwners: Readonly<Record<'stale' | 'conflict' | 'other-vm' | 'full', number>>;
}

interface PortRecord {
  readonly options: PortOptions;
  readonly traffic: Traffic;
  mirror: MirrorSink | null;
}

const mtuBytesDefault = 1500;
/** How often aged entries are cleared from the MAC table; they are ignored in any case. */
const expireEveryMs = 10_000;

export class VirtualSwitch {
  readonly #options: VirtualSwitchOptions;
  readonly #groups = new Map<string, PortGroup>();
  readonly #segments = new Map<SegmentKey, SegmentPorts & { readonly ports: Map<PortId, SwitchPort> }>();
  readonly #ports = new Map<PortId, SwitchPort>();
  readonly #records = new Map<PortId, PortRecord>();
  readonly #owners = new OwnerTable();
  readonly #learned: MacTable;
  readonly #peers: PeerTable;
  readonly #uplinkTraffic: Traffic;
  readonly #refusedOwners = { stale: 0, conflict: 0, 'other-vm': 0, full: 0 };
  readonly #state: ForwardingState;
  #lastPortId: PortId = 0;
  #expiredMs: number;

  constructor(options: VirtualSwitchOptions) {
    this.#options = options;
    this.#learned = new MacTable(options.macTable ?? macTableLimitsDefault);
    this.#peers = new PeerTable(options.host);
    this.#uplinkTraffic = options.uplinkTraffic ?? new Traffic();
    this.#expiredMs = options.nowMs();
    this.#state = {
      host: options.host,
      hasUplink: options.uplink !== undefined,
      frameBytesMax: ethernetHeaderBytes + (options.mtuBytes ?? mtuBytesDefault),
      unownedSources: options.unownedSources ?? 'reject',
      ports: this.#ports,
      segments: this.#segments,
      peers: this.#peers.byHost,
      peersByAddress: this.#peers.byAddress,
      owners: this.#owners,
      learned: this.#learned,
    };
    options.uplink?.onPacket((packet) => this.#receiveFromPeer(packet));
  }
  /** Makes the group's segment exist here. Groups of one segment may differ in their policies. */
  addPortGroup(group: PortGroup): void {
    invariant(!this.#groups.has(group.name), `the port group ${group.name} is added once`);
    const key = segmentKey(group);
    this.#groups.set(group.name, group);
    if (!this.#segments.has(key)) {
      this.#segments.set(key, { id: { vni: group.vni, vlan: group.vlan }, ports: new Map() });
    }
  }

  hasPortGroup(name: string): boolean {
    return this.#groups.has(name);
  }

  /** Its ports must be gone. */
  removePortGroup(name: string): void {
    const group = this.#group(name);
    const isUsed = [...this.#records.values()].some((record) => record.options.portGroup === name);
    invariant(!isUsed, `the port group ${name} has no ports when it is removed`);
    this.#groups.delete(name);
    const key = segmentKey(group);
    const isShared = [...this.#groups.values()].some((other) => segmentKey(other) === key);
    if (!isShared) this.#segments.delete(key);
  }

  /** The port is there at once, and shut until the owner table opens it. */
  addPort(options: PortOptions): PortId {
    const group = this.#group(options.portGroup);
    const mac = parseMac(options.mac);
    invariant(mac !== 0 && !isGroupMac(mac), 'a port has the address of one station');
    this.#lastPortId += 1;
    const id = this.#lastPortId;
    const segment = segmentKey(group);
    const { vm, epoch } = options;
    this.#store({ id, segment, policy: group.policy, vm, mac, effectiveMac: mac, epoch });
    this.#records.set(id, { options, traffic: options.traffic ?? new Traffic(), mirror: null });
    return id;
  }

  /** Removing what is gone already changes nothing. */
  removePort(id: PortId): void {
    const port = this.#ports.get(id);
    if (port === undefined) return;
    this.#ports.delete(id);
    this.#records.delete(id);
    this.#segments.get(port.segment)?.ports.delete(id);
    this.#learned.forgetAttachment({ kind: 'port', port: id });
  }

  /** The VM's lease was taken anew by this host. Epochs only grow. */
  raisePortEpoch(id: PortId, epoch: number): void {
    const port = this.#port(id);
    invariant(epoch >= port.epoch, 'an epoch only grows');
    this.#store({ ...port, epoch });
  }

  /** The guest changed its address, or changed it back; what that means is its port group's policy. */
  setEffectiveMac(id: PortId, mac: string): void {
    this.#store({ ...this.#port(id), effectiveMac: parseMac(mac) });
  }

  /** The whole list of tunnel ends. Throws `request.invalid` where two share a host's name or an address. */
  setPeers(peers: readonly Peer[]): void {
    for (const host of this.#peers.replace(peers)) this.#learned.forgetAttachment({ kind: 'peer', host });
  }

  /** Announced or listed: only a higher epoch of the same VM replaces what is known. */
  setOwner(ownership: MacOwnership): OwnerChange {
    const { segment, mac, owner } = toRecord(ownership);
    const change = this.#owners.set(segment, mac, owner);
    if (change === 'accepted') this.#learned.forget(segment, mac);
    else if (change !== 'unchanged') this.#refusedOwners[change] += 1;
    return change;
  }

  /** The VM is deleted or its vNIC is. False if a higher epoch or another VM has the address. */
  removeOwner(ownership: Omit<MacOwnership, 'host'>): boolean {
    const { segment, mac, owner } = toRecord({ ...ownership, host: '' });
    const isRemoved = this.#owners.remove(segment, mac, owner.vm, owner.epoch);
    if (isRemoved) this.#learned.forget(segment, mac);
    return isRemoved;
  }

  /**
   * The coordinator's whole list. Higher epochs known here stay; addresses of ports that are open here stay; all
   * else becomes as listed. The caller leaves out views that are older than one it has given.
   */
  reconcileOwners(ownerships: readonly MacOwnership[]): void {
    const isOpenHere = ({ segment, mac }: OwnerRecord) =>
      [...(this.#segments.get(segment)?.ports.values() ?? [])].some(
        (port) => port.mac === mac && this.#owners.lookup(segment, mac) !== undefined && this.#isOpen(port),
      );
    for (const { segment, mac } of this.#owners.reconcile(ownerships.map(toRecord), isOpenHere)) {
      this.#learned.forget(segment, mac);
    }
  }

  /** A frame from the guest on this port. When it returns, the array may be reused. */
  transmit(id: PortId, frame: Uint8Array): TransmitResult {
    const record = this.#records.get(id);
    if (record === undefined) return 'unknown-port';
    record.mirror?.(frame, 'from-guest');
    record.traffic.countIn(frame.length);
    if (!record.options.mayOutput()) return this.#drop(record.traffic, 'lease-over');
    return this.#process({ kind: 'port', port: id }, frame, record.traffic, record.options.mayOutput);
  }

  /** Tells all switches where the port's address is now: after a migration, a restart, a failover. */
  announce(id: PortId): TransmitResult {
    return this.transmit(id, rarpAnnouncement(formatMac(this.#port(id).mac)));
  }

  /** Hands every frame of the port, refused ones included, to `sink`, which copies what it keeps. Null ends it. */
  mirror(id: PortId, sink: MirrorSink | null): void {
    this.#record(id).mirror = sink;
  }

  portStatus(id: PortId): PortStatus {
    const port = this.#port(id);
    const { options, traffic } = this.#record(id);
    return {
      port: id,
      portGroup: options.portGroup,
      vm: port.vm,
      nic: options.nic,
      mac: options.mac,
      epoch: port.epoch,
      state: portState(this.#state, port),
      traffic: traffic.counters(),
    };
  }

  status(): SwitchStatus {
    return {
      ports: [...this.#ports.keys()].map((id) => this.portStatus(id)),
      uplink: this.#uplinkTraffic.counters(),
      owners: this.#owners.size,
      learned: this.#learned.size,
      peers: this.#peers.byHost.size,
      refusedOwners: { ...this.#refusedOwners },
    };
  }

  #receiveFromPeer({ address, vni, frame }: TunnelPacket): void {
    this.#uplinkTraffic.countIn(frame.length);
    this.#process({ kind: 'tunnel', address, vni }, frame, this.#uplinkTraffic, () => false);
  }

  #process(
    ingress: Ingress,
    received: Uint8Array,
    traffic: Traffic,
    mayOutput: () => boolean,
  ): TransmitResult {
    const nowMs = this.#options.nowMs();
    this.#expireSometimes(nowMs);
    const forwarding = forward(this.#state, ingress, received, nowMs);
    if (forwarding.kind === 'dropped') return this.#drop(traffic, forwarding.reason);
    this.#carryOut(forwarding, mayOutput, nowMs);
    return 'forwarded';
  }

  #carryOut(
    forwarding: Extract<Forwarding, { kind: 'forwarded' }>,
    mayOutput: () => boolean,
    nowMs: number,
  ): void {
    const { frame, segment, learning, peers } = forwarding;
    if (learning !== null) {
      this.#learned.learn(learning.segment, learning.mac, learning.attachment, nowMs);
    }
    for (const id of forwarding.ports) this.#deliver(id, frame);
    if (peers.length > 0) this.#sendToPeers(peers, segment, frame, mayOutput);
  }

  #deliver(id: PortId, frame: Uint8Array): void {
    const record = this.#records.get(id);
    if (record === undefined) return; // removed by a receiver of this same frame
    if (!record.options.deliver(frame)) {
      this.#drop(record.traffic, 'receiver-full');
      return;
    }
    record.traffic.countOut(frame.length);
    record.mirror?.(frame, 'to-guest');
  }

  #sendToPeers(
    peers: readonly Peer[],
    segment: SegmentId,
    frame: Uint8Array,
    mayOutput: () => boolean,
  ): void {
    const { vni, vlan } = segment;
    invariant(vni !== null, 'only a segment with a VNI reaches peers');
    const tagged = withVlanTag(frame, vlan);
    for (let count = 0; count < peers.length; count += 1) this.#uplinkTraffic.countOut(tagged.length);
    this.#options.uplink?.send(peers, vni, tagged, mayOutput);
  }

  #drop(traffic: Traffic, reason: DropReason): DropReason {
    traffic.countDropped(reason);
    return reason;
  }

  #expireSometimes(nowMs: number): void {
    if (nowMs - this.#expiredMs < expireEveryMs) return;
    this.#expiredMs = nowMs;
    this.#learned.expire(nowMs);
  }

  #isOpen(port: SwitchPort): boolean {
    return portState(this.#state, port) === 'open';
  }

  #store(port: SwitchPort): void {
    this.#ports.set(port.id, port);
    this.#segments.get(port.segment)?.ports.set(port.id, port);
  }

  #group(name: string): PortGroup {
    const group = this.#groups.get(name);
    invariant(group !== undefined, `the switch has a port group ${name}`);
    return group;
  }

  #port(id: PortId): SwitchPort {
    const port = this.#ports.get(id);
    invariant(port !== undefined, `the switch has a port ${id}`);
    return port;
  }

  #record(id: PortId): PortRecord {
    const record = this.#records.get(id);
    invariant(record !== undefined, `the switch has a port ${id}`);
    return record;
  }
}

function toRecord(ownership: MacOwnership): OwnerRecord {
  const { vni, vlan = 0, mac, vm, host, epoch } = ownership;
  return { segment: segmentKey({ vni, vlan }), mac: parseMac(mac), owner: { vm, host, epoch } };
}
