/** The findings of the demo for people. */
import { formatTable } from '../output/table.ts';
import type { DemoResult } from './result.ts';

export function formatReport(result: DemoResult): string {
  const { ping, migration, guest, failover } = result;
  const since = (atMs: number): string => `${Math.round(atMs - failover.killedAtMs)} ms`;
  return [
    formatTable(
      [
        { header: 'GUEST', value: (guest) => guest.name },
        { header: 'HOST', value: (guest) => guest.host },
        { header: 'KERNEL', value: (guest) => guest.kernel },
        { header: 'BOOT', value: (guest) => `${(guest.bootMs / 1000).toFixed(1)} s`, alignsRight: true },
      ],
      result.guests,
      false,
    ),
    formatTable(
      [
        { header: 'CLAIM', value: ({ claim }) => claim },
        { header: 'FOUND', value: ({ found }) => found },
      ],
      [
        {
          claim: 'guests on different hosts reach each other',
          found: `${ping.received} of ${ping.sent} pings answered`,
        },
        {
          claim: 'a running guest moves',
          found: `${migration.from} -> ${migration.to} in ${migration.totalMs.toFixed(0)} ms`,
        },
        {
          claim: 'others see a short pause',
          found: `down ${migration.downtimeMs.toFixed(2)} ms, ${migration.lostPings} pings lost, gap ${migration.pingGapMs.toFixed(1)} ms`,
        },
        {
          claim: 'it goes on where it was',
          found: `counted from ${guest.counterBefore} to ${guest.counterAfter} without a break`,
        },
        { claim: 'what arrives is what left', found: `state hashes equal: ${migration.stateHashTarget}` },
        {
          claim: 'a lost host is noticed',
          found: `${failover.from} declared failed after ${since(failover.declaredFailedMs)}`,
        },
        {
          claim: 'its guest comes back elsewhere',
          found: `on ${failover.to} after ${since(failover.restartedMs)}, answers after ${since(failover.answeredMs)}`,
        },
      ],
      false,
    ),
  ].join('\n');
}
