/**
 * Hosts with virtual switches for tests of the switch's rules: the uplinks hand packets over at once and in order,
 * with the sender's address, as a loss-free guest network would. Real sockets are tested in vxlan-tunnel.test.ts.
 */
import { buildFrame, etherTypes, parseMac } from '../ethernet.ts';
import type { Peer } from '../forward.ts';
import { type PolicyVerdict, type SecurityPolicy, securityPolicyDefault } from '../port-group.ts';
import { VirtualSwitch } from '../virtual-switch.ts';
import type { TunnelPacket, Uplink } from '../vxlan-tunnel.ts';

export interface FabricPacket {
  readonly from: string;
  readonly to: string;
  readonly vni: number;
  readonly frame: Uint8Array;
}

export class Fabric {
  /** Everything that crossed, in order. */
  readonly packets: FabricPacket[] = [];
  nowMs = 0;
  readonly #receivers = new Map<string, (packet: TunnelPacket) => void>();

  addHost(host: string, options: { readonly unownedSources?: PolicyVerdict } = {}): VirtualSwitch {
    const address = addressOf(host);
    const uplink: Uplink = {
      onPacket: (receive) => this.#receivers.set(address, receive),
      send: (peers, vni, frame, mayOutput) => {
        for (const peer of peers) {
          if (mayOutput()) this.inject({ from: address, to: peer.address, vni, frame });
        }
      },
    };
    return new VirtualSwitch({ host, uplink, nowMs: () => this.nowMs, ...options });
  }

  /** A packet on the guest network, whoever sent it. */
  inject(packet: FabricPacket): void {
    this.packets.push(packet);
    this.#receivers.get(packet.to)?.({ address: packet.from, vni: packet.vni, frame: packet.frame });
  }
}

/** `h3` is at 192.0.2.3. */
export function addressOf(host: string): string {
  return `192.0.2.${host.slice(1)}`;
}

export function peersOf(hosts: readonly string[]): Peer[] {
  return hosts.map((host) => ({ host, address: addressOf(host), port: 4789 }));
}

export interface Station {
  readonly port: number;
  readonly vm: string;
  readonly mac: string;
  /** Frames the guest got. */
  readonly got: Uint8Array[];
  /** Whether its lease still holds; the test turns it off. */
  lease: { isHeld: boolean };
}

export interface StationOptions {
  readonly portGroup: string;
  readonly vm: string;
  readonly mac: string;
  readonly epoch?: number;
  readonly capacityFrames?: number;
}

/** A port with a guest that keeps what it gets. The owner is the test's business. */
export function attachStation(target: VirtualSwitch, options: StationOptions): Station {
  const { portGroup, vm, mac, epoch = 1, capacityFrames = Number.POSITIVE_INFINITY } = options;
  const got: Uint8Array[] = [];
  const lease = { isHeld: true };
  const port = target.addPort({
    portGroup,
    vm,
    nic: 0,
    mac,
    epoch,
    deliver: (frame) => {
      if (got.length >= capacityFrames) return false;
      got.push(frame.slice());
      return true;
    },
    mayOutput: () => lease.isHeld,
  });
  return { port, vm, mac, got, lease };
}

export function policyWith(change: Partial<SecurityPolicy>): SecurityPolicy {
  return { ...securityPolicyDefault, ...change };
}

/** An IPv4-typed frame whose payload tells it from all others. */
export function frameOf(destination: string, source: string, payload = 'hello'): Uint8Array {
  const header = { destination: parseMac(destination), source: parseMac(source), etherType: etherTypes.ipv4 };
  return buildFrame(header, new TextEncoder().encode(payload));
}

export const everyone = 'ff:ff:ff:ff:ff:ff';

/** `macOf(7)` is 52:54:00:00:00:07. */
export function macOf(index: number): string {
  const low = index.toString(16).padStart(4, '0');
  return `52:54:00:00:${low.slice(0, 2)}:${low.slice(2)}`;
}
