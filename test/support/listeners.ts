/** What a process listens on, as the kernel tells: nothing that it forgot to mention is missed. */
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';

export interface ListeningSocket {
  readonly protocol: 'tcp' | 'udp';
  readonly address: string;
  readonly port: number;
}

/** Source: proc(5), /proc/net/tcp; state 0A is LISTEN, an unconnected UDP socket is 07. */
export function listeningSockets(pid: number): ListeningSocket[] {
  const inodes = new Set<string>();
  for (const fd of readdirSync(`/proc/${pid}/fd`)) {
    const inode = /^socket:\[(\d+)\]$/.exec(linkOf(`/proc/${pid}/fd/${fd}`))?.[1];
    if (inode !== undefined) inodes.add(inode);
  }
  return (['tcp', 'udp'] as const).flatMap((protocol) => {
    const state = protocol === 'tcp' ? '0A' : '07';
    const rows = readFileSync(`/proc/${pid}/net/${protocol}`, 'utf8').trim().split('\n').slice(1);
    return rows.flatMap((row) => {
      const columns = row.trim().split(/\s+/);
      const [address = '', port = ''] = (columns[1] ?? '').split(':');
      if (columns[3] !== state || !inodes.has(columns[9] ?? '')) return [];
      return [{ protocol, address: dotted(address), port: Number.parseInt(port, 16) }];
    });
  });
}

/** Little endian, as this machine is. */
function dotted(hex: string): string {
  return [6, 4, 2, 0].map((at) => Number.parseInt(hex.slice(at, at + 2), 16)).join('.');
}

function linkOf(path: string): string {
  try {
    return readlinkSync(path);
  } catch {
    return '';
  }
}
