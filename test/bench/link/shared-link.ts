/**
 * How two migrations at a time share a link: two guests with equally much memory set out together, so that a fair share is one
 * half each, and both arrive at the same time.
 */
import type { MigrationRecord } from '@skein/shared';
import type { ContainerCluster } from '../container-cluster.ts';
import { fill } from './filled-memory.ts';
import { rawTcp } from './raw-tcp.ts';

export interface SharedLink {
  /** Of what went over the link until the first of them arrived, the smaller one's part; a half is fair. */
  readonly shareMin: number;
  /** From the first order to the last arrival, of the time in which raw TCP carries as many bytes. */
  readonly togetherOfRawTcp: number;
}

const guests = [
  { name: 'pair1', address: '10.77.0.51' },
  { name: 'pair2', address: '10.77.0.52' },
] as const;
const memoryMib = '224';
const filledMib = 96;

/** The link between h1 and h2 as it is shaped. */
export async function shareLink(
  cluster: ContainerCluster,
  runs: number,
  say: (line: string) => void,
): Promise<readonly SharedLink[]> {
  for (const { name, address } of guests) {
    const options = ['--memory', memoryMib, '--address', `${address}/24`, '--host', 'h1'];
    await cluster.skein('vm', 'create', name, ...options);
  }
  await cluster.settled();
  for (const { name } of guests) await fill(await cluster.console(name), filledMib);
  const shares: SharedLink[] = [];
  for (let run = 1; run <= runs; run++) {
    const [from, to] = run % 2 === 1 ? (['h1', 'h2'] as const) : (['h2', 'h1'] as const);
    const rawTcpBytesPerS = (await rawTcp(from, to)) / 8;
    const operations = await Promise.all(guests.map(({ name }) => cluster.migrate(name, to)));
    const records = operations.map(({ migration }) => migration);
    const share = shareOf(records, rawTcpBytesPerS);
    shares.push(share);
    say(
      `shared ${run}: the smaller share ${share.shareMin.toFixed(3)}, together ${share.togetherOfRawTcp.toFixed(3)} of raw TCP's time`,
    );
  }
  return shares;
}

function shareOf(records: readonly (MigrationRecord | null)[], rawTcpBytesPerS: number): SharedLink {
  const [first, second] = records.filter((record) => record !== null).sort((a, b) => a.totalMs - b.totalMs);
  if (first === undefined || second === undefined) throw new Error('a migration left no record');
  // The later one had the link to itself once the first had arrived: at the rate of the whole link.
  const aloneBytes = ((second.totalMs - first.totalMs) / 1000) * rawTcpBytesPerS;
  const meanwhile = [first.bytes, Math.max(0, second.bytes - aloneBytes)];
  const idealMs = ((first.bytes + second.bytes) / rawTcpBytesPerS) * 1000;
  return {
    shareMin: Math.min(...meanwhile) / meanwhile.reduce((sum, bytes) => sum + bytes, 0),
    togetherOfRawTcp: second.totalMs / idealMs,
  };
}
