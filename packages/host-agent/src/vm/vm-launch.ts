/**
 * Gives a VM its machine: a clone of a template where there is one, else its kernel boots. A template that turns out
 * damaged is thrown away, and the kernel boots under the same lease instead.
 */
import type { CoreModules } from '@skein/machine';
import { toProblem } from '@skein/shared';
import type { Logger } from 'pino';
import type { SwitchHandle } from '../network/switch-handle.ts';
import type { TemplateStore } from '../template/template-store.ts';
import type { GuestStart } from './guest-start.ts';
import type { HostedVm } from './hosted-vm.ts';
import type { SpareMachines } from './spare-machines.ts';
import type { VmEvent, VmOrigin } from './vm-channel.ts';
import { VmRunner } from './vm-runner.ts';

export interface VmLaunchOptions {
  readonly core: CoreModules;
  readonly guests: GuestStart;
  readonly templates: TemplateStore;
  readonly network: SwitchHandle;
  readonly machines: SpareMachines;
  readonly log: Logger;
}

export class VmLaunch {
  readonly #options: VmLaunchOptions;

  constructor(options: VmLaunchOptions) {
    this.#options = options;
  }

  /** Returns when the VM's thread has begun; what becomes of it the VM hears. */
  run(vm: HostedVm, origin: VmOrigin): void {
    const { core, machines, network } = this.#options;
    if (origin.kind !== 'incoming') vm.startedFrom = origin.kind === 'clone' ? 'template' : 'kernel';
    const runner = new VmRunner({
      machines,
      core,
      memoryMib: vm.machine.memoryMib,
      nics: vm.machine.nics,
      control: vm.control,
      switchDoorbell: network.doorbell,
      origin,
      onEvent: (event) => {
        // Of one that was replaced nothing counts any more, its end included.
        if (vm.runner === runner) this.#hear(vm, event);
      },
    });
    vm.runner = runner;
    // While a guest arrives nothing else shall take its time: its successor is made ready some time after.
    if (origin.kind !== 'incoming') setImmediate(() => machines.refill());
  }

  #hear(vm: HostedVm, event: VmEvent): void {
    const { log, templates } = this.#options;
    switch (event.type) {
      case 'template-saved':
        log.info({ vm: vm.vm, pages: event.pages, tookMs: event.tookMs }, 'template kept');
        void templates.prune();
        break;
      case 'template-failed':
        log.warn(
          { vm: vm.vm, reason: event.message },
          'no template was kept: guests like it boot their kernel',
        );
        break;
      case 'template-refused':
        log.warn({ vm: vm.vm, reason: event.message }, 'template thrown away, and made anew by a boot');
        // One that is being stopped meanwhile ends with the machine that it has.
        if (vm.state === 'starting') void this.#bootInstead(vm);
        break;
      default:
        if (event.type === 'failed') log.error({ vm: vm.vm, reason: event.message }, 'vm failed');
        vm.hear(event);
    }
  }

  /** A machine that could not be cloned has not run: another one takes its place under the same lease. */
  async #bootInstead(vm: HostedVm): Promise<void> {
    const { guests, network } = this.#options;
    vm.runner = null;
    network.unplug(vm);
    try {
      const start = await guests.planWithoutTemplate(vm.machine);
      if (vm.state !== 'starting') return;
      vm.console.kernel = start.kernel;
      this.run(vm, start.origin);
      network.plug(vm);
    } catch (error) {
      if (vm.state !== 'starting') return;
      vm.hear({ type: 'failed', message: toProblem(error).message });
      vm.hear({ type: 'ended' });
    }
  }
}
