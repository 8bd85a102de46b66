/** What a host's hypervisor knows of a guest and no machine state holds: it goes along. */
import type { GuestHistory } from '@skein/shared';
import type { HostedVm } from '../vm/hosted-vm.ts';

/** Of a guest of whom nothing was told. */
export const emptyHistory: GuestHistory = {
  consolePosition: 0,
  consoleBacklog: new Uint8Array(0),
  kernel: null,
  firstStepMs: null,
  readyMs: null,
  startedFrom: null,
  isConsoleRead: false,
};

export function historyOf(vm: HostedVm, isConsoleRead: boolean): GuestHistory {
  return {
    consolePosition: vm.console.position,
    consoleBacklog: vm.console.backlog,
    kernel: vm.console.kernel,
    firstStepMs: vm.firstStepMs,
    readyMs: vm.readyMs,
    startedFrom: vm.startedFrom,
    isConsoleRead,
  };
}
