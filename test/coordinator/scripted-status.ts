/** A scripted agent's report about its VMs. */
import type { AgentStatus } from '@skein/shared';
import type { ScriptedVm } from './scripted-agent.ts';

/** What an agent with these VMs reports. */
export function statusOf(vms: readonly ScriptedVm[]): AgentStatus {
  const present = vms.filter(({ state }) => state !== 'stopped');
  return {
    vms: vms.map((vm) => ({
      vm: vm.vm,
      name: vm.name,
      epoch: vm.epoch,
      state: vm.state,
      reason: vm.reason,
      steps: 1,
      usedMhz: 1,
      firstStepMs: vm.state === 'starting' || vm.state === 'incoming' ? null : 12,
      startedFrom: null,
      missingPages: vm.missingPages,
      readyMs: vm.readyMs,
      kernel: null,
    })),
    silentPeers: [],
    usedMhz: present.length,
    usedMemoryMib: present.reduce((sum, { machine }) => sum + machine.memoryMib, 0),
  };
}
