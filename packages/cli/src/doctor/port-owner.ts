/** Which program listens on a port of this machine, as the kernel tells. Source: proc(5), /proc/net/tcp. */
import { readdir, readFile, readlink } from 'node:fs/promises';

const listenState = '0A';

/** `node (pid 42)`; null where it is not ours to see. Only addresses of IPv4. */
export async function portOwner(port: number): Promise<string | null> {
  const inodes = listeningInodes(await readFile('/proc/net/tcp', 'utf8').catch(() => ''), port);
  if (inodes.size === 0) return null;
  for (const pid of (await readdir('/proc').catch(() => [])).filter((name) => /^\d+$/.test(name))) {
    for (const fd of await readdir(`/proc/${pid}/fd`).catch(() => [])) {
      const link = await readlink(`/proc/${pid}/fd/${fd}`).catch(() => '');
      const inode = /^socket:\[(\d+)\]$/.exec(link)?.[1];
      if (inode === undefined || !inodes.has(inode)) continue;
      const name = (await readFile(`/proc/${pid}/comm`, 'utf8').catch(() => '?')).trim();
      return `${name} (pid ${pid})`;
    }
  }
  return null;
}

function listeningInodes(table: string, port: number): ReadonlySet<string> {
  const suffix = `:${port.toString(16).toUpperCase().padStart(4, '0')}`;
  const rows = table
    .trim()
    .split('\n')
    .slice(1)
    .map((row) => row.trim().split(/\s+/));
  return new Set(
    rows
      .filter((row) => row[1]?.endsWith(suffix) === true && row[3] === listenState)
      .map((row) => row[9] ?? ''),
  );
}
