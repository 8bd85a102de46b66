/** What a process holds of its machine, as the kernel counts it. Source: proc(5), /proc/PID/{smaps,task,fd}. */
import { readdirSync, readFileSync } from 'node:fs';

export interface Footprint {
  /** Resident, but for guests' memories. */
  readonly ownMib: number;
  /** Memories of guests, of those that left and were not collected yet as well. */
  readonly guestMemories: number;
  readonly threads: number;
  readonly fileDescriptors: number;
}

/** `guestMemoryBytes`: of one guest as it is mapped, the machine's own tables included. No other mapping is as long. */
export function footprintOf(pid: number, guestMemoryBytes: number): Footprint {
  let ownKib = 0;
  let guestMemories = 0;
  let isGuest = false;
  for (const line of readFileSync(`/proc/${pid}/smaps`, 'utf8').split('\n')) {
    const [, key, kib] = /^(Size|Rss):\s+(\d+) kB$/.exec(line) ?? [];
    if (key === 'Size') {
      isGuest = Number(kib) * 1024 === guestMemoryBytes;
      if (isGuest) guestMemories += 1;
    } else if (key === 'Rss' && !isGuest) ownKib += Number(kib);
  }
  return {
    ownMib: ownKib / 1024,
    guestMemories,
    threads: readdirSync(`/proc/${pid}/task`).length,
    fileDescriptors: readdirSync(`/proc/${pid}/fd`).length,
  };
}
