/**
 * One live migration between two of our agents, ordered as a coordinator orders it. What can be asked of it beside the
 * downtime budget has its place here.
 */
import type { MigrationRecord } from '@skein/shared';
import type { AgentBed, BedVm } from '../../support/agent-bed.ts';

export interface SkeinMigrationOptions {
  /** Slow the vCPU down where rounds do not help. */
  readonly autoConverge: boolean;
}

/** Resolves with the source's record once both sides have ended, whatever came of it. */
export async function skeinMigration(
  bed: AgentBed,
  vm: BedVm,
  to: string,
  { autoConverge }: SkeinMigrationOptions,
): Promise<MigrationRecord> {
  const operation = await bed.beginMigration(vm, to, undefined, { autoConverge });
  const [record] = await Promise.all([bed.recordOf(operation, 'source'), bed.recordOf(operation, 'target')]);
  return record;
}
