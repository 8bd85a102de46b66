/**
 * Who a guest is, as its init reads it from the identity port: words of the VM's boot arguments, and what only this
 * start has. Source: guests, initramfs/init.ts.
 */
const lastWord = 'skein.end';

/** `entropy` is for the guest's random generator, `wallClockUs` counts since 1970. */
export function encodeIdentity(
  words: readonly string[],
  entropy: Uint8Array,
  wallClockUs: bigint,
): Uint8Array {
  const digits = Array.from(entropy, (byte) => byte.toString(16).padStart(2, '0')).join('');
  const own = [`skein.entropy=${digits}`, `skein.time=${wallClockUs}`, lastWord];
  const lines = [...words.filter((word) => word !== lastWord), ...own];
  // Boot arguments are printable ASCII, by their schema.
  return Uint8Array.from(`${lines.join('\n')}\n`, (character) => character.charCodeAt(0));
}
