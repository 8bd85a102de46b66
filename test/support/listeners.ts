/** What a process listens on, as the kernel tells: nothing that it forgot to mention is missed. */
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';

export interface ListeningSocket {
  readonly protocol: 'tcp' | 'udp';
  readonly address: string;
  readonly port: number;
}

const tables = ['tcp', 'tcp6', 'udp', 'udp6'] as const;
type Table = (typeof tables)[number];

/** Of one process. */
export function listeningSockets(pid: number): ListeningSocket[] {
  const inodes = new Set<string>();
  for (const fd of readdirSync(`/proc/${pid}/fd`)) {
    const inode = /^socket:\[(\d+)\]$/.exec(linkOf(`/proc/${pid}/fd/${fd}`))?.[1];
    if (inode !== undefined) inodes.add(inode);
  }
  return tables.flatMap((table) =>
    rowsOf(table, readFileSync(`/proc/${pid}/net/${table}`, 'utf8'))
      .filter(({ inode }) => inodes.has(inode))
      .map(({ socket }) => socket),
  );
}

const looks = 4;
const betweenLooksMs = 300;

/**
 * What listens for longer than a moment: a spare worker that rehearses listens for a third of a second, for itself, each time
 * on another port, and by then is gone from one of the looks. What such a listener lets in is what a migration's does.
 */
export async function lastingSockets<T extends ListeningSocket>(
  look: () => readonly T[] | Promise<readonly T[]>,
): Promise<T[]> {
  const nameOf = ({ protocol, address, port }: ListeningSocket): string => `${protocol} ${address} ${port}`;
  let lasting = [...(await look())];
  for (let count = 1; count < looks; count++) {
    await delay(betweenLooksMs);
    const now = new Set((await look()).map(nameOf));
    lasting = lasting.filter((socket) => now.has(nameOf(socket)));
  }
  return lasting;
}

/** Of all processes of a network namespace, from what this prints in it. */
export const printTables = tables.map((table) => `echo "= ${table}"; cat /proc/net/${table}`).join('; ');

export function socketsIn(printed: string): ListeningSocket[] {
  return printed
    .split(/^= /m)
    .slice(1)
    .flatMap((part) => {
      const [name = '', ...rows] = part.split('\n');
      return rowsOf(name.trim() as Table, rows.join('\n')).map(({ socket }) => socket);
    });
}

/** Source: proc(5), /proc/net/tcp; state 0A is LISTEN, an unconnected UDP socket is 07. */
function rowsOf(table: Table, text: string): { readonly inode: string; readonly socket: ListeningSocket }[] {
  const protocol = table.startsWith('tcp') ? 'tcp' : 'udp';
  const state = protocol === 'tcp' ? '0A' : '07';
  return text
    .trim()
    .split('\n')
    .slice(1)
    .flatMap((row) => {
      const columns = row.trim().split(/\s+/);
      const [address = '', port = ''] = (columns[1] ?? '').split(':');
      if (columns[3] !== state) return [];
      const socket = { protocol, address: addressOf(address), port: Number.parseInt(port, 16) } as const;
      return [{ inode: columns[9] ?? '', socket }];
    });
}

/** Words of 32 bits, each little endian, as this machine is. */
function addressOf(hex: string): string {
  const bytes = [...hex.matchAll(/.{8}/g)].flatMap(([word]) =>
    [6, 4, 2, 0].map((at) => Number.parseInt(word.slice(at, at + 2), 16)),
  );
  if (bytes.length === 4) return bytes.join('.');
  return Array.from({ length: 8 }, (_, index) =>
    (((bytes[2 * index] ?? 0) << 8) | (bytes[2 * index + 1] ?? 0)).toString(16),
  ).join(':');
}

function linkOf(path: string): string {
  try {
    return readlinkSync(path);
  } catch {
    return '';
  }
}
