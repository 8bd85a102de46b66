/** Measured figures as people read them: milliseconds finer than `formatDuration` tells them, bytes in MiB. */
const bytesPerMib = 1 << 20;
const fineMsMax = 100;

/** `0.53 ms`, `12.89 ms`, `349 ms`. */
export function formatMs(ms: number): string {
  return `${Math.abs(ms) < fineMsMax ? ms.toFixed(2) : Math.round(ms)} ms`;
}

export function formatMib(bytes: number): string {
  return `${(bytes / bytesPerMib).toFixed(1)} MiB`;
}
