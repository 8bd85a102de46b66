/**
 * The 802.1Q tag: reading, adding and taking it off. Frames inside a switch carry none; a tag stands only on the
 * uplink. Source: IEEE 802.1Q "VLAN Tag format". Omitted: priorities (a tag we add has priority 0), and provider
 * tags (802.1ad), which count as tagged and are refused.
 */
import { etherTypeOf, etherTypes, macBytes, readUint16, writeUint16 } from './ethernet.ts';

export const vlanTagBytes = 4;
/** 0 means "no VLAN"; 4095 is reserved by the standard. */
export const vlanIdMax = 4094;

const tagOffset = 2 * macBytes;

export type VlanTag =
  | { readonly kind: 'untagged' }
  | { readonly kind: 'tagged'; readonly vlan: number }
  | { readonly kind: 'unsupported' };

const untagged: VlanTag = { kind: 'untagged' };
const unsupported: VlanTag = { kind: 'unsupported' };

/** `frame` has at least an Ethernet header. A tag with VLAN id 0 carries only a priority. */
export function readVlanTag(frame: Uint8Array): VlanTag {
  const type = etherTypeOf(frame);
  if (type === etherTypes.serviceVlan) return unsupported;
  if (type !== etherTypes.vlan) return untagged;
  if (frame.length < tagOffset + vlanTagBytes + 2) return unsupported; // no room for the tag and a type
  const vlan = readUint16(frame, tagOffset + 2) & 0xfff;
  return vlan > vlanIdMax ? unsupported : { kind: 'tagged', vlan };
}

/** A copy without its outermost tag; `readVlanTag` said that there is one. */
export function withoutVlanTag(frame: Uint8Array): Uint8Array {
  const bare = new Uint8Array(frame.length - vlanTagBytes);
  bare.set(frame.subarray(0, tagOffset));
  bare.set(frame.subarray(tagOffset + vlanTagBytes), tagOffset);
  return bare;
}

/** A copy with a tag for `vlan`; the frame itself where `vlan` is 0. */
export function withVlanTag(frame: Uint8Array, vlan: number): Uint8Array {
  if (vlan === 0) return frame;
  const tagged = new Uint8Array(frame.length + vlanTagBytes);
  tagged.set(frame.subarray(0, tagOffset));
  writeUint16(tagged, tagOffset, etherTypes.vlan);
  writeUint16(tagged, tagOffset + 2, vlan);
  tagged.set(frame.subarray(tagOffset), tagOffset + vlanTagBytes);
  return tagged;
}
