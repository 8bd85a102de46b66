/**
 * The announcement of a MAC address after a migration or a restart: a broadcast RARP request "who am I?", which
 * asks nothing of anybody and makes every learning switch on the way note where the address is now. Source:
 * RFC 903, "A Reverse Address Resolution Protocol". It carries no proof; the owner table decides who may send it.
 */
import { arpOperations, buildArpFrame } from './arp.ts';
import { broadcastMac, etherTypes, parseMac } from './ethernet.ts';

/** A whole Ethernet frame; `mac` in the form of the shared `MacAddress`. */
export function rarpAnnouncement(mac: string): Uint8Array {
  const own = parseMac(mac);
  return buildArpFrame(
    { destination: broadcastMac, source: own, etherType: etherTypes.rarp },
    {
      operation: arpOperations.reverseRequest,
      senderMac: own,
      senderIpv4: 0,
      targetMac: own,
      targetIpv4: 0,
    },
  );
}
