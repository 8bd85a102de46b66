/**
 * One live migration between two of our agents, ordered as a coordinator orders it. What can be asked of it beside the
 * downtime budget has its place here.
 */
import { setTimeout as delay } from 'node:timers/promises';
import type { MigrationRecord } from '@skein/shared';
import type { AgentBed, BedVm } from '../../support/agent-bed.ts';

export interface SkeinMigrationOptions {
  /** Slow the vCPU down where rounds do not help. */
  readonly autoConverge: boolean;
}

const attachPauseMs = 1;

/** Resolves with the source's record once both sides have ended, whatever came of it. */
export async function skeinMigration(
  bed: AgentBed,
  vm: BedVm,
  to: string,
  { autoConverge }: SkeinMigrationOptions,
): Promise<MigrationRecord> {
  const progressBefore = bed.progress.length;
  const operation = await bed.beginMigration(vm, to, undefined, { autoConverge });
  let hasEnded = false;
  const ends = Promise.all([bed.recordOf(operation, 'source'), bed.recordOf(operation, 'target')]);
  const end = (): void => {
    hasEnded = true;
  };
  ends.then(end, end);
  await attachEarly(bed, vm, to, () => ({ hasEnded, hasCopied: bed.progress.length > progressBefore }));
  const [record] = await ends;
  return record;
}

/**
 * The target opens its guest's console once it has the lease: asked again and again from the first round's end on, so that
 * what the observer sees is when the guest went on, and not when somebody looked.
 */
async function attachEarly(
  bed: AgentBed,
  vm: BedVm,
  host: string,
  look: () => { readonly hasEnded: boolean; readonly hasCopied: boolean },
): Promise<void> {
  for (;;) {
    const { hasEnded, hasCopied } = look();
    if (hasEnded) return;
    if (hasCopied) {
      const isAttached = await bed.attach(vm, host).then(
        () => true,
        () => false,
      );
      if (isAttached) return;
    }
    await delay(attachPauseMs);
  }
}
