import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  broadcastMac,
  buildFrame,
  destinationOf,
  etherTypeOf,
  formatMac,
  isGroupMac,
  isReservedGroupMac,
  parseMac,
  readMac,
  readUint32,
  sourceOf,
  writeMac,
  writeUint32,
} from './ethernet.ts';

const macs = fc.integer({ min: 0, max: broadcastMac });

describe('MAC addresses', () => {
  it('survive text and wire', () => {
    fc.assert(
      fc.property(macs, fc.integer({ min: 0, max: 5 }), (mac, offset) => {
        expect(parseMac(formatMac(mac))).toBe(mac);
        const bytes = new Uint8Array(16);
        writeMac(bytes, offset, mac);
        expect(readMac(bytes, offset)).toBe(mac);
      }),
    );
  });

  it('stand on the wire first octet first', () => {
    const bytes = new Uint8Array(6);
    writeMac(bytes, 0, parseMac('52:54:00:ab:cd:ef'));
    expect([...bytes]).toEqual([0x52, 0x54, 0x00, 0xab, 0xcd, 0xef]);
  });

  it('are group addresses by the lowest bit of the first octet', () => {
    expect(isGroupMac(parseMac('01:00:5e:00:00:01'))).toBe(true);
    expect(isGroupMac(broadcastMac)).toBe(true);
    expect(isGroupMac(parseMac('fe:ff:ff:ff:ff:ff'))).toBe(false);
  });

  it('are reserved from 01:80:c2:00:00:00 to 01:80:c2:00:00:0f', () => {
    expect(isReservedGroupMac(parseMac('01:80:c2:00:00:00'))).toBe(true);
    expect(isReservedGroupMac(parseMac('01:80:c2:00:00:0f'))).toBe(true);
    expect(isReservedGroupMac(parseMac('01:80:c2:00:00:10'))).toBe(false);
    expect(isReservedGroupMac(parseMac('01:80:c1:ff:ff:ff'))).toBe(false);
  });

  it('refuse what is none', () => {
    for (const text of ['', '52:54:00:12:34', '52:54:00:12:34:5G', '52-54-00-12-34-56']) {
      expect(() => parseMac(text)).toThrow('MAC address');
    }
  });
});

describe('frames and fields', () => {
  it('are read as they were built', () => {
    fc.assert(
      fc.property(
        macs,
        macs,
        fc.integer({ min: 0, max: 0xffff }),
        fc.uint8Array(),
        (to, from, type, payload) => {
          const frame = buildFrame({ destination: to, source: from, etherType: type }, payload);
          expect([destinationOf(frame), sourceOf(frame), etherTypeOf(frame)]).toEqual([to, from, type]);
          expect([...frame.subarray(14)]).toEqual([...payload]);
        },
      ),
    );
  });

  it('keep all 32 bits unsigned', () => {
    const bytes = new Uint8Array(4);
    writeUint32(bytes, 0, 0xfedc_ba98);
    expect([...bytes]).toEqual([0xfe, 0xdc, 0xba, 0x98]);
    expect(readUint32(bytes, 0)).toBe(0xfedc_ba98);
  });
});
