import { expect, it } from 'vitest';
import { arpOperations, buildArpFrame, parseArpFrame } from './arp.ts';
import { broadcastMac, etherTypes, parseMac } from './ethernet.ts';
import { rarpAnnouncement } from './rarp.ts';

const mac = '52:54:00:12:34:56';

it('an ARP request has the bytes of RFC 826', () => {
  const frame = buildArpFrame(
    { destination: broadcastMac, source: parseMac(mac), etherType: etherTypes.arp },
    {
      operation: arpOperations.request,
      senderMac: parseMac(mac),
      senderIpv4: 0x0a4d_000b,
      targetMac: 0,
      targetIpv4: 0xc0a8_0001,
    },
  );
  expect(Buffer.from(frame).toString('hex')).toBe(
    'ffffffffffff5254001234560806' + '0001080006040001' + '5254001234560a4d000b' + '000000000000c0a80001',
  );
});

it('a RARP announcement is a broadcast "who am I?" of RFC 903, from and about the address', () => {
  const frame = rarpAnnouncement(mac);
  expect(Buffer.from(frame).toString('hex')).toBe(
    'ffffffffffff5254001234568035' + '0001080006040003' + '52540012345600000000' + '52540012345600000000',
  );
  expect(parseArpFrame(frame)).toEqual({
    operation: arpOperations.reverseRequest,
    senderMac: parseMac(mac),
    senderIpv4: 0,
    targetMac: parseMac(mac),
    targetIpv4: 0,
  });
});

it('a packet that is cut, of another type, or not for Ethernet and IPv4 is not read', () => {
  const frame = rarpAnnouncement(mac);
  expect(parseArpFrame(frame.subarray(0, 41))).toBeNull();
  for (const [offset, value] of [
    [12, 0x86],
    [15, 6],
    [16, 0x86],
    [18, 8],
    [19, 16],
  ] as const) {
    const changed = frame.slice();
    changed[offset] = value;
    expect(parseArpFrame(changed)).toBeNull();
  }
});
