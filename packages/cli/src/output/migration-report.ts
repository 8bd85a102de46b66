/** The record of a live migration for people: its figures, its phases, its rounds, its downtime in parts. */
import type { MigrationRecord } from '@skein/shared';
import { formatTable } from './table.ts';

const bytesPerMib = 1 << 20;

export function formatMigration(record: MigrationRecord): string {
  const { phases, downtime } = record;
  const isEqual = record.stateHashSource === record.stateHashTarget;
  return [
    `${record.from} -> ${record.to}, ${record.mode}, ${record.outcome}${record.reason === null ? '' : `: ${record.reason}`}`,
    `phases    pre-copy ${ms(phases.precopyMs)}, stop-and-copy ${ms(phases.stopAndCopyMs)}, post-copy ${ms(phases.postcopyMs)}, in all ${ms(record.totalMs)}`,
    `moved     ${record.pages} pages, ${record.zeroPages} of them zero, ${mib(record.bytes)} on the wire in ${record.rounds.length} rounds`,
    `downtime  ${ms(record.downtimeMs)} = last pages ${ms(downtime.lastPagesMs)} + state ${ms(downtime.stateMs)} + verify ${ms(downtime.verifyMs)} + lease ${ms(downtime.leasePassMs)} + resume ${ms(downtime.resumeMs)}; before it ${ms(downtime.boundaryWaitMs)} to a boundary`,
    `hashes    source ${record.stateHashSource}, target ${record.stateHashTarget} (${isEqual ? 'equal' : 'DIFFERENT'}), source again in full ${record.stateHashSourceFull ?? 'not yet'}`,
    `clocks    target ${ms(record.clockOffsetMs)} off the source, known to ${ms(record.clockOffsetErrorMs)}; epoch ${record.epochBefore} -> ${record.epochAfter}`,
    formatTable(
      [
        { header: 'ROUND', value: (round) => round.round, alignsRight: true },
        { header: 'PAGES', value: (round) => round.pages, alignsRight: true },
        { header: 'ZERO', value: (round) => round.zeroPages, alignsRight: true },
        { header: 'BYTES', value: (round) => mib(round.bytes), alignsRight: true },
        { header: 'TIME', value: (round) => ms(round.durationMs), alignsRight: true },
        { header: 'BANDWIDTH', value: (round) => `${mib(round.bandwidthBytesPerS)}/s`, alignsRight: true },
        { header: 'DIRTIED', value: (round) => `${Math.round(round.dirtyPagesPerS)}/s`, alignsRight: true },
        { header: 'LEFT', value: (round) => round.remainingPages, alignsRight: true },
        { header: 'DOWNTIME IF STOPPED', value: (round) => ms(round.predictedDowntimeMs), alignsRight: true },
      ],
      record.rounds,
      false,
    ).trimEnd(),
  ].join('\n');
}

function ms(value: number): string {
  return `${value < 100 ? value.toFixed(2) : Math.round(value)} ms`;
}

function mib(bytes: number): string {
  return `${(bytes / bytesPerMib).toFixed(1)} MiB`;
}
