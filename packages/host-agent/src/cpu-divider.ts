/**
 * Divides the host's CPU among its VMs each period and writes each one's entitlement where its vCPU reads it. A
 * VM's demand is what it used and, if its budget held it back, as much as it likes.
 */
import { divideCpu } from './core/cpu-budget.ts';
import type { HostedVm } from './vm/hosted-vm.ts';

const periodMs = 50;
/** Above its use, so that a VM can show that it wants more. */
const headroomRatio = 1.5;
/** The least demand that is assumed: a waking guest must not crawl for a period. */
const demandFloorRatio = 0.25;

export class CpuDivider {
  readonly #capacityMhz: number;
  readonly #readyNs = new Map<string, bigint>();
  readonly #vms: () => Iterable<HostedVm>;
  readonly #timer: NodeJS.Timeout;
  usedMhz = 0;

  constructor(capacityMhz: number, vms: () => Iterable<HostedVm>) {
    this.#capacityMhz = capacityMhz;
    this.#vms = vms;
    this.#timer = setInterval(() => this.divide(), periodMs);
  }

  /** Call it also when a VM comes or goes: it starts with no budget. */
  divide(): void {
    const nowNs = process.hrtime.bigint();
    const vms = [...this.#vms()].filter((vm) => vm.isPresent);
    const claims = vms.map((vm) => {
      const usedMhz = vm.sampleUsage(nowNs);
      vm.demandMhz = this.#demandMhz(vm, usedMhz);
      const { reservationMhz, shares, limitMhz } = vm.machine.cpu;
      return {
        vm: vm.vm,
        reservationMhz,
        shares,
        limitMhz: limitMhz ?? this.#capacityMhz,
        demandMhz: vm.demandMhz,
        usedMhz,
      };
    });
    const entitlements = divideCpu(this.#capacityMhz, claims);
    for (const vm of vms) vm.control.budgetStepsPerMs = (entitlements.get(vm.vm) ?? 0) * 1000;
    this.usedMhz = claims.reduce((sum, claim) => sum + claim.usedMhz, 0);
  }

  close(): void {
    clearInterval(this.#timer);
  }

  #demandMhz(vm: HostedVm, usedMhz: number): number {
    const readyNs = vm.control.readyNs;
    const wasHeldBack = readyNs > (this.#readyNs.get(vm.vm) ?? 0n);
    this.#readyNs.set(vm.vm, readyNs);
    if (wasHeldBack) return this.#capacityMhz;
    return Math.max(usedMhz * headroomRatio, this.#capacityMhz * demandFloorRatio);
  }
}
