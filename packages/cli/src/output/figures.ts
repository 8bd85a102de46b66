/** Measured figures as people read them: milliseconds finer than `formatDuration` tells them, bytes with binary prefixes. */
const bytesPerKib = 2 ** 10;
const bytesPerMib = 2 ** 20;
const fineMsMax = 100;

/** `0.53 ms`, `12.89 ms`, `349 ms`. */
export function formatMs(ms: number): string {
  return `${Math.abs(ms) < fineMsMax ? ms.toFixed(2) : Math.round(ms)} ms`;
}

/** `0 KiB`, `7.3 KiB`, `46.7 MiB`. */
export function formatSize(bytes: number): string {
  if (bytes >= bytesPerMib) return `${(bytes / bytesPerMib).toFixed(1)} MiB`;
  return `${Number((bytes / bytesPerKib).toFixed(1))} KiB`;
}
