import type { GuestConsole } from '@skein/cli';

const deadlineMs = 120_000;

/** Random bytes, written once: nothing of it is zero, and nothing gets dirty while it moves. */
export async function fill(console: GuestConsole, mib: number): Promise<void> {
  const position = console.position;
  console.type(`filler ${mib}\n`);
  await console.waitFor(/filled \d+ MiB/, position, deadlineMs);
  console.close();
}
