/**
 * The work of the switch thread: drains the VMs' transmit rings into the virtual switch, and keeps ports, peers
 * and owners as the main thread says. The switch itself decides (network/forward); sockets are its uplink's.
 */
import {
  type Doorbell,
  FrameRing,
  type PortId,
  securityPolicyDefault,
  Traffic,
  type VirtualSwitch,
} from '@skein/network';
import type { ClusterView, MacOwner, Segment, VmId } from '@skein/shared';
import { releaseMemorySoon } from '../memory-release.ts';
import { VmControlBlock } from '../vm/control-block.ts';
import type { PlugNic, SwitchEvent, SwitchLoopCommand } from './switch-channel.ts';

/** Frames taken from one port before the others get their turn. */
const burstFrames = 64;
/** Without a ring of the doorbell the rings are looked at this often. */
const waitMsMax = 1000;

interface PluggedNic {
  readonly nic: PlugNic;
  readonly port: PortId;
  readonly transmit: FrameRing;
}

export class SwitchLoop {
  readonly #switch: VirtualSwitch;
  readonly #doorbell: Doorbell;
  readonly #tell: (event: SwitchEvent) => void;
  readonly #segments = new Map<string, Segment>();
  #plugged: PluggedNic[] = [];
  /** Of the view that was obeyed last: an older one that comes late changes nothing. */
  #viewVersion = -1;
  /** vNICs whose segment no view has named yet. */
  #waiting: PlugNic[] = [];

  constructor(virtualSwitch: VirtualSwitch, doorbell: Doorbell, tell: (event: SwitchEvent) => void) {
    this.#switch = virtualSwitch;
    this.#doorbell = doorbell;
    this.#tell = tell;
  }

  /** Never returns; the event loop runs between two turns, for the uplink's socket and commands. */
  async run(): Promise<never> {
    for (;;) {
      const seen = this.#doorbell.value();
      if (this.#drain()) await new Promise<void>((resolve) => setImmediate(resolve));
      else await this.#doorbell.waitAsync(seen, waitMsMax);
    }
  }

  obey(command: SwitchLoopCommand): void {
    switch (command.type) {
      case 'plug':
        for (const nic of command.nics) this.#plug(nic);
        break;
      case 'unplug':
        this.#unplug(command.vm);
        break;
      case 'view':
        this.#obeyView(command.view);
        break;
      case 'owners':
        for (const owner of command.owners) this.#setOwner(owner);
        break;
      case 'announce':
        for (const { nic, port } of this.#plugged) if (nic.vm === command.vm) this.#switch.announce(port);
        break;
    }
  }

  #drain(): boolean {
    let hasMore = false;
    for (const { port, transmit } of this.#plugged) {
      const taken = transmit.drain(burstFrames, (frame) => this.#switch.transmit(port, frame));
      if (taken === burstFrames) hasMore = true;
    }
    return hasMore;
  }

  #plug(nic: PlugNic): void {
    if (!this.#segments.has(nic.segment)) {
      this.#waiting.push(nic);
      return;
    }
    const same = this.#plugged.find((other) => other.nic.vm === nic.vm && other.nic.nic === nic.nic);
    if (same !== undefined) {
      this.#switch.raisePortEpoch(same.port, nic.epoch);
      return;
    }
    const control = new VmControlBlock(nic.control);
    const receive = FrameRing.attach(nic.receiveRing);
    const port = this.#switch.addPort({
      portGroup: nic.segment,
      vm: nic.vm,
      nic: nic.nic,
      mac: nic.mac,
      epoch: nic.epoch,
      deliver: (frame) => receive.push(frame),
      mayOutput: () => control.isAllowed(process.hrtime.bigint()),
      traffic: new Traffic(nic.traffic),
    });
    this.#plugged.push({ nic, port, transmit: FrameRing.attach(nic.transmitRing) });
    // What lies in its ring already was announced when nobody looked there: of a guest that has just arrived its first frames.
    this.#doorbell.ring();
  }

  #unplug(vm: VmId): void {
    this.#waiting = this.#waiting.filter((nic) => nic.vm !== vm);
    for (const { nic, port } of this.#plugged) if (nic.vm === vm) this.#switch.removePort(port);
    this.#plugged = this.#plugged.filter(({ nic }) => nic.vm !== vm);
    // A receive ring's doorbell is a word of the machine's memory, and so all of it is held by this thread.
    releaseMemorySoon();
  }

  #obeyView(view: ClusterView): void {
    if (view.version < this.#viewVersion) return;
    this.#viewVersion = view.version;
    for (const segment of view.segments) {
      this.#segments.set(segment.name, segment);
      if (!this.#switch.hasPortGroup(segment.name)) {
        this.#switch.addPortGroup({
          name: segment.name,
          vni: segment.vni,
          vlan: 0,
          policy: securityPolicyDefault,
        });
      }
    }
    this.#switch.setPeers(
      view.peers.flatMap(({ host, addresses, vxlanPort }) => {
        const address = addresses['guest-a'];
        return address === undefined || vxlanPort === null ? [] : [{ host, address, port: vxlanPort }];
      }),
    );
    const known = view.owners.filter((owner) => this.#segments.has(owner.segment));
    this.#switch.reconcileOwners(known.map((owner) => ({ ...owner, vni: this.#vni(owner) })));
    for (const nic of this.#waiting.splice(0)) this.#plug(nic);
  }

  #setOwner(owner: MacOwner): void {
    if (!this.#segments.has(owner.segment)) return;
    const change = this.#switch.setOwner({ ...owner, vni: this.#vni(owner) });
    if (change === 'conflict') this.#tell({ type: 'owner-conflict', owner });
  }

  #vni(owner: MacOwner): number | null {
    return this.#segments.get(owner.segment)?.vni ?? null;
  }
}
