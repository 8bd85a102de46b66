/**
 * Divides the host's CPU among its VMs each period and writes each one's entitlement where its vCPU reads it. A
 * VM's demand is what it used and, if its budget held it back, as much as it likes.
 */
import { type CpuClaim, divideCpu } from './core/cpu-budget.ts';
import type { VmControlBlock } from './vm/control-block.ts';
import type { HostedVm } from './vm/hosted-vm.ts';

const periodMs = 50;
/** Above its use, so that a VM can show that it wants more. */
const headroomRatio = 1.5;
/** The least demand that is assumed: a waking guest must not crawl for a period. */
const demandFloorRatio = 0.25;
/** What is done beside the guests takes at most half of the CPU, and little when they want it. */
const background = { name: 'background', reservationMhz: 0, shares: 100, limitRatio: 0.5 } as const;

export class CpuDivider {
  readonly #capacityMhz: number;
  readonly #readyNs = new Map<string, bigint>();
  readonly #vms: () => Iterable<HostedVm>;
  readonly #background: () => VmControlBlock | null;
  readonly #timer: NodeJS.Timeout;
  usedMhz = 0;

  /** `inBackground`: a vCPU at work that is no VM's. */
  constructor(
    capacityMhz: number,
    vms: () => Iterable<HostedVm>,
    inBackground: () => VmControlBlock | null = () => null,
  ) {
    this.#capacityMhz = capacityMhz;
    this.#vms = vms;
    this.#background = inBackground;
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
    const beside = this.#background();
    const entitlements = divideCpu(this.#capacityMhz, [
      ...claims,
      ...(beside === null ? [] : [this.#backgroundClaim()]),
    ]);
    if (beside !== null) beside.budgetStepsPerMs = (entitlements.get(background.name) ?? 0) * 1000;
    for (const vm of vms) vm.control.budgetStepsPerMs = (entitlements.get(vm.vm) ?? 0) * 1000;
    this.usedMhz = claims.reduce((sum, claim) => sum + claim.usedMhz, 0);
  }

  close(): void {
    clearInterval(this.#timer);
  }

  #backgroundClaim(): CpuClaim {
    const { name, reservationMhz, shares, limitRatio } = background;
    const limitMhz = this.#capacityMhz * limitRatio;
    return { vm: name, reservationMhz, shares, limitMhz, demandMhz: limitMhz };
  }

  #demandMhz(vm: HostedVm, usedMhz: number): number {
    const readyNs = vm.control.readyNs;
    const wasHeldBack = readyNs > (this.#readyNs.get(vm.vm) ?? 0n);
    this.#readyNs.set(vm.vm, readyNs);
    if (wasHeldBack) return this.#capacityMhz;
    return Math.max(usedMhz * headroomRatio, this.#capacityMhz * demandFloorRatio);
  }
}
