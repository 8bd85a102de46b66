/**
 * The VMs of this host: powers them on and off, takes in and gives away migrating ones, and reports on all. A VM
 * runs only under a lease that this host holds (architecture, idea 2); a command repeated under the same
 * operation id has one effect.
 */
import type { CoreModules } from '@skein/machine';
import {
  type AgentStatus,
  type Epoch,
  invariant,
  type MachineSpec,
  type MigrationTargetCommand,
  OperationError,
  type TemplateRecipe,
  toProblem,
  type VmId,
  type VmStartCommand,
  type VmStopCommand,
} from '@skein/shared';
import { failpoint } from '@skein/transport';
import type { Logger } from 'pino';
import { CpuDivider } from './cpu-divider.ts';
import { EffectsOnce } from './effects-once.ts';
import type { LeaseKeeper } from './lease/lease-keeper.ts';
import { releaseMemorySoon } from './memory-release.ts';
import type { SwitchHandle } from './network/switch-handle.ts';
import { TemplateMaker } from './template/template-maker.ts';
import type { TemplateStore } from './template/template-store.ts';
import { GuestConsole } from './vm/guest-console.ts';
import type { GuestStart } from './vm/guest-start.ts';
import { HostedVm, type HostedVmOptions } from './vm/hosted-vm.ts';
import { SpareMachines } from './vm/spare-machines.ts';
import { VmLaunch } from './vm/vm-launch.ts';

export interface HypervisorOptions {
  readonly core: CoreModules;
  readonly guests: GuestStart;
  readonly templates: TemplateStore;
  readonly leases: LeaseKeeper;
  readonly network: SwitchHandle;
  readonly capacity: { readonly cpuMhz: number; readonly memoryMib: number };
  readonly log: Logger;
  readonly onChange: () => void;
  readonly onConsole: (vm: VmId, position: number, bytes: Uint8Array) => void;
}

/** How long a VM that ended stays in the reports, so that its end and the reason are seen. */
const endedReportMs = 10_000;
const closeDeadlineMs = 1500;
/** The way of a VM worker's word to the main thread, many times over. */
const forsakenMs = 100;
const reclaimRetryMs = 100;
const reclaimRefusals: ReadonlySet<string> = new Set(['lease.held', 'lease.stale-epoch', 'lease.not-owner']);
const hostLeaseWaitMs = 1000;

export class Hypervisor {
  readonly #options: HypervisorOptions;
  readonly #vms = new Map<VmId, HostedVm>();
  readonly #effects = new EffectsOnce();
  readonly #machines: SpareMachines;
  readonly #launch: VmLaunch;
  readonly #divider: CpuDivider;
  readonly #maker: TemplateMaker;
  readonly #releases = new Set<Promise<void>>();
  /** Since the start of this process. */
  readonly #tally = { freezes: 0, fences: 0 };
  #isClosed = false;

  constructor(options: HypervisorOptions) {
    this.#options = options;
    const { core, guests, templates, network, log, capacity } = options;
    this.#machines = new SpareMachines({
      core,
      spareCount: 1,
      onTrouble: (reason) => log.warn({ reason }, 'a spare VM worker could not rehearse'),
    });
    this.#launch = new VmLaunch({ core, guests, templates, network, log, machines: this.#machines });
    this.#maker = new TemplateMaker({
      core,
      guests,
      templates,
      log,
      machines: this.#machines,
      doorbell: network.doorbell,
      freeMemoryMib: () => capacity.memoryMib - this.usedMemoryMib,
    });
    this.#divider = new CpuDivider(
      capacity.cpuMhz,
      () => this.#vms.values(),
      () => this.#maker.control,
    );
    options.leases.onLost((vm, epoch, reason) => this.#leaseLost(vm, epoch, reason));
  }

  get capacity(): HypervisorOptions['capacity'] {
    return this.#options.capacity;
  }

  /** A guest has arrived, or will not: a thread is made ready for the next VM, when the first moments of this one are over. */
  makeReady(): void {
    if (!this.#isClosed) this.#machines.refillWhenCalm();
  }

  /** How often a VM froze here, and how many copies were discarded. */
  get tally(): { readonly freezes: number; readonly fences: number } {
    return this.#tally;
  }

  find(vm: VmId): HostedVm | undefined {
    return this.#vms.get(vm);
  }

  /** @throws OperationError vm.not-found */
  get(vm: VmId): HostedVm {
    const found = this.#vms.get(vm);
    if (found === undefined) {
      throw new OperationError({ code: 'vm.not-found', message: `this host has no VM ${vm}` });
    }
    return found;
  }

  /** VMs that have, or are about to have, a vCPU here. */
  present(): readonly HostedVm[] {
    return [...this.#vms.values()].filter((vm) => vm.isPresent);
  }

  status(): Omit<AgentStatus, 'silentPeers'> {
    return {
      vms: [...this.#vms.values()].map((vm) => vm.report()),
      usedMhz: this.#divider.usedMhz,
      usedMemoryMib: this.usedMemoryMib,
    };
  }

  get usedMemoryMib(): number {
    return this.present().reduce((sum, vm) => sum + vm.machine.memoryMib, 0);
  }

  /** What guests that may be started here start from: templates of it are made beside the VMs. */
  wantTemplates(recipes: readonly TemplateRecipe[]): void {
    this.#maker.want(recipes);
  }

  start(command: VmStartCommand): Promise<{ epoch: Epoch }> {
    return this.#effects.once(command.operation, () => this.#start(command));
  }

  stop(command: VmStopCommand): Promise<Record<string, never>> {
    return this.#effects.once(command.operation, async () => {
      const vm = this.get(command.vm);
      if (vm.epoch !== command.epoch) {
        throw new OperationError({
          code: 'epoch.stale',
          message: `${vm.name} has epoch ${vm.epoch} here, the command was for ${command.epoch}`,
        });
      }
      // A copy whose lease is over is not powered off, it is discarded.
      const hasLease = vm.control.isAllowed(process.hrtime.bigint());
      if (hasLease) vm.stop('powered off on request');
      else this.fence(vm, 'its lease is over');
      return {};
    });
  }

  /** Reserves memory and a vCPU for a VM that is about to arrive; it cannot run before its lease is passed. */
  admitIncoming(command: MigrationTargetCommand): HostedVm {
    this.#refuseUnlessRoom(command.vm, command.name, command.machine);
    const vm = this.#add({
      ...command,
      epoch: command.epoch,
      state: 'incoming',
      console: new GuestConsole(),
    });
    try {
      this.#launch.run(vm, { kind: 'incoming' });
    } catch (error) {
      vm.stop('its machine could not be made');
      throw error;
    }
    return vm;
  }

  /** The guest runs here now, under the lease that was passed. */
  completeIncoming(vm: HostedVm, epoch: Epoch): void {
    vm.epoch = epoch;
    vm.isMigrating = false;
    this.#options.leases.adopt(vm.vm, epoch, vm.control);
    if (!vm.isPresent) {
      // It ended before we heard that it is ours: nobody else would give its lease back.
      this.#release(vm);
      return;
    }
    failpoint('migration.announce.before');
    this.#options.network.plug(vm);
    vm.runner?.announce();
    failpoint('migration.announce.after');
    this.#divider.divide();
    this.#options.onChange();
  }

  /** All of its memory is here. */
  completeMemory(vm: HostedVm): void {
    this.#options.log.info({ vm: vm.vm, name: vm.name }, 'all memory is here');
    this.#options.onChange();
  }

  /** After the commit at the source: the lease is not ours to touch any more; the VM's memory stays for the re-hash. */
  leaveBehind(vm: HostedVm): void {
    this.#options.leases.drop(vm.vm);
    vm.control.revoke();
    this.#options.network.unplug(vm);
  }

  /**
   * A migration ended without telling how: the lease is taken anew by compare-and-set, which is decisive, and the
   * suspended guest goes on here, or it is another's and stops. While nobody answers it stays frozen.
   */
  async reclaim(vm: HostedVm): Promise<void> {
    vm.control.deadlineNs = 0n;
    while (vm.state === 'suspended') {
      try {
        this.raiseEpoch(vm, await this.#options.leases.acquire(vm.vm, vm.epoch, vm.control));
        vm.runner?.resume();
        return;
      } catch (error) {
        const { code, message } = toProblem(error);
        if (reclaimRefusals.has(code)) {
          this.#options.leases.drop(vm.vm);
          this.fence(vm, message);
          return;
        }
        await new Promise((resolve) => setTimeout(resolve, reclaimRetryMs));
      }
    }
  }

  /** Its transfer worker died before the vCPU had come to where it was to stop: nobody else lets it go on. */
  #reclaimIfForsaken(vm: HostedVm): void {
    const isForsaken = (): boolean => vm.state === 'suspended' && !vm.isMigrating;
    // That it goes on again may be said already, and heard later.
    if (isForsaken()) setTimeout(() => void (isForsaken() && this.reclaim(vm)), forsakenMs).unref();
  }

  /** The lease was taken anew by this host: everything that carries the epoch follows. */
  raiseEpoch(vm: HostedVm, epoch: Epoch): void {
    vm.epoch = epoch;
    vm.lostLeaseReason = null;
    vm.control.restore();
    this.#options.leases.adopt(vm.vm, epoch, vm.control);
    this.#options.network.plug(vm);
    this.#options.onChange();
  }

  /** Discards a copy whose right to run is over. */
  fence(vm: HostedVm, reason: string): void {
    if (vm.state === 'stopped' || vm.state === 'stopping') return;
    this.#tally.fences += 1;
    vm.stop(`fenced: ${reason}`);
  }

  /** Ends all VMs and gives their leases back, so that others need not wait until they run out. */
  async close(): Promise<void> {
    this.#isClosed = true;
    this.#divider.close();
    this.#maker.close();
    const gone = this.present().map((vm) => {
      const stopped = new Promise<void>((resolve) => vm.whenState('stopped', resolve));
      vm.stop('the agent is stopping');
      return stopped;
    });
    const deadline = new Promise<void>((resolve) => setTimeout(resolve, closeDeadlineMs).unref());
    await Promise.race([Promise.all(gone).then(() => Promise.all(this.#releases)), deadline]);
    await this.#machines.close();
  }

  async #start(command: VmStartCommand): Promise<{ epoch: Epoch }> {
    // A command can overtake the first heartbeat after a reconnect.
    if (!(await this.#options.leases.awaitHostLease(hostLeaseWaitMs))) {
      throw new OperationError({
        code: 'host.wrong-state',
        message: 'this host lost its host lease: nothing new is placed here until the coordinator renews it',
      });
    }
    // Nothing is awaited between the check and the reservation (safety: invariant 9).
    this.#refuseUnlessRoom(command.vm, command.name, command.machine);
    const vm = this.#add({
      ...command,
      epoch: command.expectEpoch + 1,
      state: 'starting',
      console: new GuestConsole(),
    });
    let isAcquired = false;
    try {
      const start = await this.#options.guests.plan(command.machine);
      vm.epoch = await this.#options.leases.acquire(command.vm, command.expectEpoch, vm.control);
      isAcquired = true;
      invariant(vm.state === 'starting', 'nothing moves a VM that is being started');
      vm.console.kernel = start.kernel;
      this.#launch.run(vm, start.origin);
    } catch (error) {
      if (this.#vms.get(vm.vm) === vm) this.#vms.delete(vm.vm);
      // A lease that nobody runs under would keep the VM from running anywhere.
      if (isAcquired) await this.#options.leases.release(vm.vm).catch(() => {});
      throw error;
    }
    this.#options.network.plug(vm);
    this.#divider.divide();
    this.#options.log.info({ vm: vm.vm, name: vm.name, epoch: vm.epoch }, 'vm powered on');
    return { epoch: vm.epoch };
  }

  #add(options: Pick<HostedVmOptions, 'vm' | 'name' | 'machine' | 'epoch' | 'state' | 'console'>): HostedVm {
    const vm = new HostedVm({
      vm: options.vm,
      name: options.name,
      machine: options.machine,
      epoch: options.epoch,
      state: options.state,
      console: options.console,
      onChange: () => this.#options.onChange(),
      onFrozen: () => {
        this.#tally.freezes += 1;
      },
      onSuspended: (suspended) => this.#reclaimIfForsaken(suspended),
      onConsole: (from, position, bytes) => this.#options.onConsole(from.vm, position, bytes),
      onEnded: (ended) => this.#ended(ended),
    });
    this.#vms.set(vm.vm, vm);
    this.#options.onChange();
    return vm;
  }

  #ended(vm: HostedVm): void {
    this.#options.network.unplug(vm);
    this.#release(vm);
    this.#options.log.info({ vm: vm.vm, name: vm.name, reason: vm.report().reason }, 'vm ended');
    releaseMemorySoon();
    setTimeout(() => {
      if (this.#vms.get(vm.vm) === vm) this.#vms.delete(vm.vm);
      if (!this.#isClosed) this.#options.onChange();
    }, endedReportMs).unref();
  }

  #release(vm: HostedVm): void {
    const release = this.#options.leases.release(vm.vm).catch((error: unknown) => {
      this.#options.log.warn(
        { vm: vm.vm, error: String(error) },
        'lease could not be released; it will run out',
      );
    });
    this.#releases.add(release);
    void release.finally(() => this.#releases.delete(release));
  }

  #leaseLost(id: VmId, epoch: Epoch, reason: string): void {
    const vm = this.#vms.get(id);
    if (vm === undefined || !vm.isPresent || vm.epoch > epoch) return;
    // First the guard, for what is already in the rings; then the guest (safety: rule 4).
    vm.control.deadlineNs = 0n;
    if (vm.isMigrating) {
      vm.lostLeaseReason = reason;
      vm.onLeaseLost?.(reason);
      return;
    }
    this.#options.log.warn({ vm: vm.vm, epoch, reason }, 'fenced: the lease belongs to another');
    this.#options.leases.drop(id);
    this.fence(vm, reason);
  }

  #refuseUnlessRoom(vm: VmId, name: string, machine: MachineSpec): void {
    if (this.#vms.get(vm)?.isPresent === true) {
      throw new OperationError({ code: 'vm.wrong-state', message: `${name} is on this host already` });
    }
    const freeMib = this.#options.capacity.memoryMib - this.usedMemoryMib;
    if (machine.memoryMib > freeMib) {
      throw new OperationError({
        code: 'host.out-of-memory',
        message: `${name} needs ${machine.memoryMib} MiB, this host has ${freeMib} MiB free`,
        details: { neededMib: machine.memoryMib, freeMib },
      });
    }
    this.#maker.giveWayTo(machine.memoryMib);
  }
}
