/** The commit as the target carries it out: the guest that has arrived is let go, on the lease that was passed and at the source's time. */
import { type DoneAhead, grantDeadlineNs, type MigrationFinal, timingDefaults } from '@skein/shared';
import { type GuestClock, resumedClock } from '../core/guest-clock.ts';
import { VmControlBlock } from '../vm/control-block.ts';
import type { TargetAssignment } from './transfer-channel.ts';
import type { VmLink } from './vm-link.ts';

export interface Arrival {
  readonly vm: VmLink;
  readonly final: MigrationFinal;
  /** When this host said ready. */
  readonly readyAtNs: bigint;
  /** Of this host's clock to the source's. */
  readonly offsetNs: bigint;
}

/** While the lease passes: the guest takes its first steps, of which nothing leaves this host before that. */
export function giveHeadStart({ vm, final, offsetNs }: Pick<Arrival, 'vm' | 'final' | 'offsetNs'>): void {
  vm.tell({ type: 'head-start', clock: clockOf(final, offsetNs) });
}

/** Asked at once; resolves when the vCPU was let go. @throws OperationError process.died, machine.failed */
export async function activateGuest(
  { control }: Pick<TargetAssignment, 'control'>,
  { vm, final, readyAtNs, offsetNs }: Arrival,
): Promise<{ readonly atNs: bigint; readonly ahead: DoneAhead }> {
  // The lease counts from when `ready` was said: the pass came after it (safety: Commit point).
  new VmControlBlock(control).deadlineNs = grantDeadlineNs(
    readyAtNs,
    timingDefaults.vmLeaseTtlMs,
    timingDefaults,
  );
  return await vm.ask({ type: 'activate', clock: clockOf(final, offsetNs) }, 'activated');
}

/** The guest's, from now on. */
function clockOf(final: MigrationFinal, offsetNs: bigint): GuestClock {
  const suspension = { guestTicks: final.guestTicks, sourceNs: final.suspendedAtNs };
  return resumedClock(suspension, process.hrtime.bigint(), offsetNs);
}
