/** RLIMIT_AS of this process. Source: proc(5), /proc/pid/limits. */

/** Bytes, or null for unlimited (or unknown). */
export function parseAddressSpaceLimit(limits: string): number | null {
  const soft = /^Max address space\s+(\S+)/m.exec(limits)?.[1];
  if (soft === undefined || !/^\d+$/.test(soft)) return null;
  return Number(soft);
}
