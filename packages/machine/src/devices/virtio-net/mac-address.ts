/** MAC addresses as vNICs have them: six bytes, unicast, not all zero. */

export function isUnicastMac(bytes: Uint8Array): boolean {
  return bytes.length === 6 && ((bytes[0] ?? 1) & 1) === 0 && bytes.some((byte) => byte !== 0);
}

/** "52:54:00:12:34:56" as bytes; throws RangeError if it is no unicast address. */
export function parseMac(text: string): Uint8Array {
  const bytes = Uint8Array.from(text.split(':'), (part) => Number.parseInt(part, 16));
  if (!/^([0-9a-f]{2}:){5}[0-9a-f]{2}$/i.test(text) || !isUnicastMac(bytes)) {
    throw new RangeError(`"${text}" is not the MAC address of a vNIC: six bytes, unicast, not all zero`);
  }
  return bytes;
}
