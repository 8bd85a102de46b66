/** What a process holds in memory, shared pages included. */
import { readFileSync } from 'node:fs';

export function residentMib(pid: number): number {
  return Number(/^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) / 1024;
}
