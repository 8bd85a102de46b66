/** What a source tells of a guest that stands: the state of CPU and devices, its hash, and the guest's time. */
import { type Machine, savedStateHash } from '@skein/machine';
import { type GuestClock, guestTicksAt } from '../core/guest-clock.ts';
import type { TransferReply } from './vm-channel.ts';

/** Guest time never runs backwards: a machine that was ahead of its clock stays so (safety: invariant 8). */
export function suspendedReply(
  machine: Pick<Machine, 'guestTimeTicks' | 'saveState'>,
  clock: GuestClock | null,
  suspendedAtNs: bigint,
): Extract<TransferReply, { readonly type: 'suspended' }> {
  const machineTicks = machine.guestTimeTicks();
  const clockTicks = clock === null ? machineTicks : guestTicksAt(clock, suspendedAtNs);
  const state = machine.saveState();
  return {
    type: 'suspended',
    state,
    stateHash: savedStateHash(state),
    guestTicks: clockTicks > machineTicks ? clockTicks : machineTicks,
    suspendedAtNs,
  };
}
