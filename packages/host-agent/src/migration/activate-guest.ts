/** The commit as the target carries it out: the guest that has arrived is let go, on the lease that was passed and at the source's time. */
import { type DoneAhead, grantDeadlineNs, type MigrationFinal, timingDefaults } from '@skein/shared';
import { resumedClock } from '../core/guest-clock.ts';
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
  const suspension = { guestTicks: final.guestTicks, sourceNs: final.suspendedAtNs };
  const clock = resumedClock(suspension, process.hrtime.bigint(), offsetNs);
  return await vm.ask({ type: 'activate', clock }, 'activated');
}
