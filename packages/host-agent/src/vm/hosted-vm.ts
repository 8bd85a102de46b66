/**
 * One VM as its host's main thread knows it: its state, its epoch, its runner and its console. It moves only as
 * core/vm-lifecycle.ts allows; whoever wants to know is told by `onChange`.
 */
import type {
  Epoch,
  GuestHistory,
  MachineSpec,
  Name,
  VmId,
  VmReport,
  VmRunState,
  VmStartKind,
} from '@skein/shared';
import type { z } from 'zod';
import { moveVmState } from '../core/vm-lifecycle.ts';
import { VmControlBlock } from './control-block.ts';
import type { GuestConsole } from './guest-console.ts';
import type { VmEvent } from './vm-channel.ts';
import type { VmRunner } from './vm-runner.ts';

export interface HostedVmOptions {
  readonly vm: VmId;
  readonly name: z.infer<typeof Name>;
  readonly machine: MachineSpec;
  readonly epoch: Epoch;
  readonly state: 'starting' | 'incoming';
  readonly console: GuestConsole;
  readonly onChange: (vm: HostedVm) => void;
  /** It stands still, for its lease could not be renewed in time. */
  readonly onFrozen: (vm: HostedVm) => void;
  /** It stands still for a migration, or for one that is over. */
  readonly onSuspended: (vm: HostedVm) => void;
  readonly onConsole: (vm: HostedVm, position: number, bytes: Uint8Array) => void;
  readonly onEnded: (vm: HostedVm) => void;
}

export class HostedVm {
  readonly vm: VmId;
  readonly name: z.infer<typeof Name>;
  readonly machine: MachineSpec;
  readonly control = new VmControlBlock();
  readonly console: GuestConsole;
  readonly #options: HostedVmOptions;
  readonly #createdNs = process.hrtime.bigint();
  readonly #usage = { steps: 0n, atNs: process.hrtime.bigint(), mhz: 0 };
  /** Raised by one with every passing of the lease. */
  epoch: Epoch;
  runner: VmRunner | null = null;
  /** Set while this host is the source or the target of a migration of it: the migration decides its fate. */
  isMigrating = false;
  /** Why the lease was lost during a migration, which then decides what that means. */
  lostLeaseReason: string | null = null;
  onLeaseLost: ((reason: string) => void) | null = null;
  firstStepMs: number | null = null;
  readyMs: number | null = null;
  /** What the divider last took it to want. */
  demandMhz = 0;
  startedFrom: VmStartKind | null = null;
  readonly #awaited = new Map<VmRunState, (() => void)[]>();
  #state: VmRunState;
  #reason: string | null = null;

  constructor(options: HostedVmOptions) {
    this.vm = options.vm;
    this.name = options.name;
    this.machine = options.machine;
    this.epoch = options.epoch;
    this.console = options.console;
    this.#options = options;
    this.#state = options.state;
    this.console.onReady = () => {
      this.readyMs = this.#sinceCreationMs(process.hrtime.bigint());
      this.#options.onChange(this);
    };
  }

  get state(): VmRunState {
    return this.#state;
  }

  move(to: VmRunState, reason: string | null = null): void {
    if (this.#state === to) return;
    this.#state = moveVmState(this.#state, to);
    this.#reason = reason;
    this.#options.onChange(this);
    const awaited = this.#awaited.get(to) ?? [];
    this.#awaited.delete(to);
    for (const then of awaited) then();
  }

  /** Calls `then` once the VM is in `state`: now, or when it gets there. */
  whenState(state: VmRunState, then: () => void): void {
    if (this.#state === state) then();
    else this.#awaited.set(state, [...(this.#awaited.get(state) ?? []), then]);
  }

  /** True while a vCPU of this VM may exist on this host. */
  get isPresent(): boolean {
    return this.#state !== 'stopped';
  }

  /** The runner's events, in order. */
  hear(event: VmEvent): void {
    switch (event.type) {
      case 'first-step':
        this.firstStepMs ??= this.#sinceCreationMs(event.atNs);
        if (this.#state === 'starting') this.move('running');
        break;
      case 'console':
        this.#options.onConsole(this, this.console.position, event.bytes);
        this.console.append(event.bytes);
        break;
      case 'frozen':
        if (this.#state === 'running' || this.#state === 'starting') {
          this.move('frozen', 'its lease could not be renewed in time');
          this.#options.onFrozen(this);
        }
        break;
      case 'thawed':
        if (this.#state === 'frozen') this.move('running');
        break;
      case 'suspended':
        if (this.#state === 'running' || this.#state === 'frozen') this.move('suspended');
        this.#options.onSuspended(this);
        break;
      case 'resumed':
        if (this.#state === 'suspended' || this.#state === 'incoming') this.move('running');
        break;
      case 'power':
        if (this.#state !== 'stopping') this.move('stopping', `the guest: power ${event.action}`);
        break;
      case 'failed':
        if (this.#state !== 'stopped') this.move('failed', event.message.slice(0, 500));
        break;
      case 'ended':
        this.#ended();
        break;
    }
  }

  /** What its source knew of it. */
  adopt(history: GuestHistory): void {
    this.firstStepMs = history.firstStepMs;
    this.readyMs = history.readyMs;
    this.startedFrom = history.startedFrom;
    this.console.adopt(history);
  }

  /** Ends the vCPU; `onEnded` follows once its thread is gone. */
  stop(reason: string): void {
    if (this.#state === 'stopped' || this.#state === 'stopping') return;
    this.control.revoke();
    this.move('stopping', reason);
    if (this.runner === null) this.#ended();
    else this.runner.stop();
  }

  report(): VmReport {
    const { panic } = this.console;
    return {
      vm: this.vm,
      name: this.name,
      epoch: this.epoch,
      state: this.#state,
      reason: this.#reason ?? (panic === null ? null : `its kernel panicked: ${panic}`),
      steps: Number(this.control.steps),
      usedMhz: this.#usage.mhz,
      firstStepMs: this.firstStepMs,
      readyMs: panic === null ? this.readyMs : null,
      startedFrom: this.startedFrom,
      kernel: this.console.kernel,
      missingPages: this.missingPages,
    };
  }

  /** Of its memory, still at the host it came from. */
  get missingPages(): number {
    return this.runner?.missingPages ?? 0;
  }

  /** Steps since the last call, as MHz; called by the agent once a period. */
  sampleUsage(nowNs: bigint): number {
    const steps = this.control.executedSteps;
    const elapsedUs = Number(nowNs - this.#usage.atNs) / 1000;
    if (elapsedUs > 0) this.#usage.mhz = Math.max(0, Number(steps - this.#usage.steps) / elapsedUs);
    this.#usage.steps = steps;
    this.#usage.atNs = nowNs;
    return this.#usage.mhz;
  }

  #ended(): void {
    this.runner = null;
    if (this.#state !== 'stopping' && this.#state !== 'failed') this.move('failed', 'its thread ended');
    this.move('stopped', this.#reason);
    this.#options.onEnded(this);
  }

  #sinceCreationMs(nowNs: bigint): number {
    return Number(nowNs - this.#createdNs) / 1e6;
  }
}
