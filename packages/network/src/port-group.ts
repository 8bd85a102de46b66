/**
 * Port groups and the segments they stand for. A segment is one broadcast domain: a VNI (or none, on a private
 * switch) and a VLAN id within it (0: none). The security policy is vSphere's, all rejecting by default.
 * Omitted: shaping; guest VLAN tagging (a guest that tags its frames is refused).
 */
import { invariant } from '@skein/shared';
import { vlanIdMax } from './vlan.ts';
import { vniMax } from './vxlan.ts';

export type PolicyVerdict = 'reject' | 'accept';

export interface SecurityPolicy {
  /** Accept: the port also gets unicast frames of its segment for other stations. */
  readonly promiscuous: PolicyVerdict;
  /** Accept: frames may enter although their source is not the port's MAC. */
  readonly forgedTransmits: PolicyVerdict;
  /** Reject: a guest that changed its MAC gets no frames until it changes back. */
  readonly macChanges: PolicyVerdict;
}

export const securityPolicyDefault: SecurityPolicy = {
  promiscuous: 'reject',
  forgedTransmits: 'reject',
  macChanges: 'reject',
};

export interface SegmentId {
  /** Null: the segment exists in this switch alone and never leaves the host. */
  readonly vni: number | null;
  /** 802.1Q VLAN id inside the VNI; 0 for untagged frames. */
  readonly vlan: number;
}

export interface PortGroup extends SegmentId {
  readonly name: string;
  readonly policy: SecurityPolicy;
}

/** A segment as a map's key: VNI and VLAN id in one safe integer; 0 stands for "no VNI", which is no valid one. */
export type SegmentKey = number;

export function segmentKey(segment: SegmentId): SegmentKey {
  const { vni, vlan } = segment;
  invariant(vni === null || (Number.isInteger(vni) && vni >= 1 && vni <= vniMax), 'a VNI is 1 to 2^24-1');
  invariant(Number.isInteger(vlan) && vlan >= 0 && vlan <= vlanIdMax, 'a VLAN id is 0 to 4094');
  return (vni ?? 0) * 4096 + vlan;
}
