/**
 * The run loop of one vCPU: takes inputs, runs a slice, lets outputs go, sleeps when the guest is idle. Every
 * wait is one Atomics.wait on the machine's attention word, so that a command, a frame or a fence always gets
 * through (architecture: Missing pages, Inputs).
 */
import { type MessagePort, receiveMessageOnPort } from 'node:worker_threads';
import {
  type Machine,
  type MachineInput,
  type MachineMemory,
  type RunResult,
  savedStateHash,
} from '@skein/machine';
import { type GuestClock, guestTicksAt, hostNsAt } from '../core/guest-clock.ts';
import { AheadOfGuest, isHint } from './ahead-of-guest.ts';
import type { VmControlBlock } from './control-block.ts';
import type { Introduction } from './introduction.ts';
import { chargedSteps, StepBudget } from './step-budget.ts';
import type {
  HintCommand,
  TransferCall,
  TransferCommand,
  TransferReply,
  VmCommand,
  VmEvent,
} from './vm-channel.ts';
import type { VmOutputs } from './vm-outputs.ts';

/** Slices last at most half a millisecond (architecture: Steps). */
const sliceNs = 500_000;
/** Devices that a guest makes work hard get this much longer, then the lease and the commands are looked at. */
const deviceNsMax = 2_000_000n;
const sliceStepsMin = 20_000;
const sliceStepsMax = 1_000_000;
/** So many are run in the shortest slices once a guest has arrived: it is slow at first, and what it says waits for a slice's end. */
const arrivalSteps = 200_000;
/** First guess of this host's speed, corrected by the first slices: steps a nanosecond. */
const firstSpeed = 0.2;
/** For so long a guest that is about to move is watched for the code that it uses. Where it is suspended before that nobody is told. */
const codeWatchNs = 30_000_000n;
/** While frozen the deadline is looked at this often. */
const frozenPollMs = 10;
/** Who waits for anything looks around this often although nothing wakes it. */
const idleWaitMsMax = 250;
/** An idle guest: its lease's deadline, as it stood when it fell asleep, wakes it, and commands do. */
const asleepMsMax = 1000;
const heldInputsMax = 64;

type Pace = 'running' | 'suspended' | 'frozen';

export interface VmLoopOptions {
  readonly machine: Machine;
  readonly memory: MachineMemory;
  readonly control: VmControlBlock;
  readonly outputs: VmOutputs;
  readonly port: MessagePort;
  /** Null until an incoming VM is activated. */
  readonly clock: GuestClock | null;
  readonly migrationConsumers: number;
  /** Null: this guest does not ask who it is, or was told where it came from. */
  readonly introduction: Introduction | null;
}

export class VmLoop {
  readonly #machine: Machine;
  readonly #memory: MachineMemory;
  readonly #control: VmControlBlock;
  readonly #outputs: VmOutputs;
  readonly #port: MessagePort;
  /** Of the migration at work; there is never more than one. */
  #transferPort: MessagePort | null = null;
  /** Inputs that came while the machine stood still: its state may be on its way to another host. */
  #heldInputs: MachineInput[] = [];
  readonly #budget = new StepBudget(process.hrtime.bigint());
  readonly #migrationConsumers: number;
  readonly #introduction: Introduction | null;
  #wasIdle = false;
  #clock: GuestClock | null;
  #pace: Pace;
  #hasRun = false;
  /** For the migration at work: its first round begins with it. */
  #hasRehearsedSuspension = false;
  /** Since when it is watched which code the guest uses; null: it is not, or was told. */
  #codeWatchedNs: bigint | null = null;
  readonly #ahead: AheadOfGuest;
  #isEnded = false;
  #stepsPerNs = firstSpeed;
  #arrivalStepsLeft = 0;
  readonly #never = new Int32Array(new SharedArrayBuffer(4));
  /** In this slice, for pages. */
  #pageWaitNs = 0n;

  constructor(options: VmLoopOptions) {
    this.#machine = options.machine;
    this.#memory = options.memory;
    this.#control = options.control;
    this.#outputs = options.outputs;
    this.#port = options.port;
    this.#clock = options.clock;
    this.#migrationConsumers = options.migrationConsumers;
    this.#introduction = options.introduction;
    this.#pace = options.clock === null ? 'suspended' : 'running';
    this.#ahead = new AheadOfGuest(options.machine, () => {
      this.#transferPort?.postMessage({ type: 'decoded-ahead' } satisfies TransferReply);
    });
  }

  /** Returns when the VM has ended; until then this thread belongs to its vCPU. */
  run(): void {
    while (!this.#isEnded) {
      this.#memory.takeAttention();
      this.#takeCommands();
      if (this.#isEnded) return;
      if (this.#pace === 'suspended' || this.#clock === null) {
        if (!this.#ahead.goOn(() => this.#memory.isPoked)) this.#memory.waitForAttention(idleWaitMsMax);
        continue;
      }
      // Writing a template takes a while: the deadline is looked at afterwards, right before the slice.
      if (this.#introduction?.meet(this.#wasIdle) === true) return;
      const nowNs = process.hrtime.bigint();
      if (!this.#control.isAllowed(nowNs)) {
        this.#freeze();
        continue;
      }
      this.#thaw();
      this.#outputs.takeFrames(this.#machine);
      this.#slice(this.#clock, nowNs);
    }
  }

  #slice(clock: GuestClock, nowNs: bigint): void {
    const budgetStepsPerMs = this.#stepsPerMs();
    const allowed = this.#budget.available(nowNs, budgetStepsPerMs);
    const wanted = this.#wantedSteps();
    if (allowed < Math.min(wanted, sliceStepsMin)) {
      this.#waitForBudget(budgetStepsPerMs);
      return;
    }
    this.#machine.apply({
      type: 'time',
      guestTicks: guestTicksAt(clock, nowNs),
      ratePerStep: this.#ratePerStep(),
    });
    const isTimeUp = (): boolean => process.hrtime.bigint() - nowNs > deviceNsMax;
    const cpuBefore = process.threadCpuUsage();
    this.#pageWaitNs = 0n;
    const result = this.#machine.run(Math.min(wanted, allowed), isTimeUp);
    this.#wasIdle = result.reason === 'idle';
    const endedNs = process.hrtime.bigint();
    this.#account(result, nowNs, endedNs, cpuBefore);
    this.#outputs.flush();
    this.#tellUsedCode(endedNs);
    if (this.#outputs.hasEnded) {
      this.#isEnded = true;
    } else if (this.#wasIdle && !this.#isAskedWho()) {
      this.#sleepUntilWake(clock, endedNs);
    }
  }

  #wantedSteps(): number {
    if (this.#arrivalStepsLeft > 0) return sliceStepsMin;
    return Math.min(sliceStepsMax, Math.max(sliceStepsMin, Math.floor(this.#stepsPerNs * sliceNs)));
  }

  /** What the VM is entitled to, or the part of this host's speed that a migration leaves it. */
  #stepsPerMs(): number {
    const { budgetStepsPerMs, throttlePercent } = this.#control;
    if (throttlePercent === 0) return budgetStepsPerMs;
    return Math.min(budgetStepsPerMs, this.#stepsPerNs * 1e6 * (1 - throttlePercent / 100));
  }

  /** In the middle of an instruction: asks for the page and returns when it is there and the guest may go on. */
  awaitPage(page: number): void {
    const startedNs = process.hrtime.bigint();
    this.#call({ type: 'page-wanted', page });
    while (!this.#memory.waitForPage(page, idleWaitMsMax)) {
      // Who ends a VM whose pages come no more ends this thread.
    }
    // Not on the attention word: nobody takes from it here, and once it is set it is no wait.
    while (!this.#control.isAllowed(process.hrtime.bigint())) Atomics.wait(this.#never, 0, 0, frozenPollMs);
    const waitNs = process.hrtime.bigint() - startedNs;
    this.#pageWaitNs += waitNs;
    this.#call({ type: 'page-awaited', waitMs: Number(waitNs) / 1e6 });
  }

  #call(call: TransferCall): void {
    this.#transferPort?.postMessage(call);
  }

  /** The guest waits for us, not we for it. */
  #isAskedWho(): boolean {
    return this.#introduction !== null && !this.#introduction.isOver && this.#machine.isIdentityAwaited;
  }

  /** Time inside a slice advances a little slower than the host's, so that the next input need not be clamped. */
  #ratePerStep(): number {
    const ticksPerStep = 0.01 / this.#stepsPerNs;
    return Math.max(1, Math.floor(ticksPerStep * 0.9 * 2 ** 32));
  }

  #account(
    { steps, deviceTurns }: RunResult,
    startedNs: bigint,
    endedNs: bigint,
    cpuBefore: NodeJS.CpuUsage,
  ): void {
    const elapsedNs = Number(endedNs - startedNs - this.#pageWaitNs);
    if (steps >= sliceStepsMin && elapsedNs > 0) {
      this.#stepsPerNs += (Math.min(10, steps / elapsedNs) - this.#stepsPerNs) * 0.1;
    }
    const { user, system } = process.threadCpuUsage(cpuBefore);
    const cost = { steps, deviceTurns, cpuNs: (user + system) * 1000 };
    this.#budget.spend(chargedSteps(cost, this.#stepsPerNs));
    this.#arrivalStepsLeft = Math.max(0, this.#arrivalStepsLeft - steps);
    this.#control.steps = this.#machine.steps;
    this.#control.addExecutedSteps(steps);
    this.#control.addBusyNs(endedNs - startedNs);
    if (!this.#hasRun && steps > 0) {
      this.#hasRun = true;
      this.#tell({ type: 'first-step', atNs: endedNs });
    }
  }

  #sleepUntilWake(clock: GuestClock, nowNs: bigint): void {
    const wake = this.#machine.wake();
    if (wake.kind === 'now') return;
    let waitMs = Math.min(asleepMsMax, Number(this.#control.deadlineNs - nowNs) / 1e6);
    if (wake.kind === 'at') {
      waitMs = Math.min(waitMs, Number(hostNsAt(clock, wake.guestTicks) - nowNs) / 1e6);
    }
    if (waitMs > 0) this.#memory.waitForAttention(waitMs);
  }

  #waitForBudget(stepsPerMs: number): void {
    const startedNs = process.hrtime.bigint();
    const waitMs = stepsPerMs > 0 ? this.#budget.waitMs(sliceStepsMin, stepsPerMs) : idleWaitMsMax;
    this.#memory.waitForAttention(Math.min(idleWaitMsMax, Math.max(0.05, waitMs)));
    this.#control.addReadyNs(process.hrtime.bigint() - startedNs);
  }

  #freeze(): void {
    if (this.#pace !== 'frozen') {
      this.#pace = 'frozen';
      this.#tell({ type: 'frozen' });
    }
    this.#memory.waitForAttention(frozenPollMs);
  }

  #thaw(): void {
    if (this.#pace !== 'frozen') return;
    this.#pace = 'running';
    this.#tell({ type: 'thawed' });
  }

  #takeCommands(): void {
    for (
      let next = receiveMessageOnPort(this.#port);
      next !== undefined;
      next = receiveMessageOnPort(this.#port)
    ) {
      this.#obey(next.message as VmCommand);
    }
    const transfer = this.#transferPort;
    if (transfer === null) return;
    for (
      let next = receiveMessageOnPort(transfer);
      next !== undefined;
      next = receiveMessageOnPort(transfer)
    ) {
      this.#answerSafely(transfer, next.message as TransferCommand);
    }
  }

  #obey(command: VmCommand): void {
    switch (command.type) {
      case 'input':
        if (command.input.type === 'console') this.#introduction?.spokenTo();
        if (this.#pace === 'suspended') this.#holdInput(command.input);
        else this.#machine.apply(command.input);
        break;
      case 'attach-transfer':
        this.#transferPort?.close();
        this.#transferPort = command.port;
        this.#hasRehearsedSuspension = false;
        this.#codeWatchedNs = null;
        break;
      case 'announce':
        this.#outputs.announce(this.#machine);
        break;
      case 'resume':
        this.#resume();
        break;
      case 'stop':
        this.#isEnded = true;
        break;
    }
  }

  #answerSafely(port: MessagePort, command: TransferCommand): void {
    if (isHint(command)) {
      this.#ahead.hear(command);
      return;
    }
    try {
      port.postMessage(this.#answer(command));
    } catch (error) {
      const reply: TransferReply = {
        type: 'failed',
        message: error instanceof Error ? error.message : String(error),
      };
      port.postMessage(reply);
    }
  }

  #answer(command: Exclude<TransferCommand, HintCommand>): TransferReply {
    switch (command.type) {
      case 'harvest':
        this.#machine.harvestDirty(this.#migrationConsumers);
        if (!this.#hasRehearsedSuspension) this.#rehearseSuspension();
        return { type: 'harvested' };
      case 'suspend':
        return this.#suspend();
      case 'resume':
        this.#resume();
        return { type: 'resumed' };
      case 'prepare':
        this.#machine.restoreArrivedState(command.state);
        return { type: 'prepared', stateHash: savedStateHash(this.#machine.saveState()) };
      case 'activate':
        return this.#activate(command.clock);
    }
  }

  #activate(clock: GuestClock): TransferReply {
    const ahead = this.#ahead.finish();
    this.#clock = clock;
    this.#arrivalStepsLeft = arrivalSteps;
    this.#pace = 'running';
    this.#tell({ type: 'resumed' });
    return { type: 'activated', atNs: process.hrtime.bigint(), ahead };
  }

  #holdInput(input: MachineInput): void {
    if (this.#heldInputs.length < heldInputsMax) this.#heldInputs.push(input);
  }

  /** What runs for the first time runs slowly; downtime is no time for that. */
  #rehearseSuspension(): void {
    this.#hasRehearsedSuspension = true;
    this.#machine.saveState();
    this.#machine.usedCode.watch();
    this.#codeWatchedNs = process.hrtime.bigint();
  }

  /** Once a migration, for the target, which decodes it before the guest comes to it. */
  #tellUsedCode(nowNs: bigint): void {
    if (this.#codeWatchedNs === null || nowNs - this.#codeWatchedNs < codeWatchNs) return;
    const usedCode = this.#machine.usedCode.read();
    // Of a guest that slept all the while it is not known yet.
    this.#codeWatchedNs = usedCode.length > 0 ? null : nowNs;
    if (usedCode.length > 0) this.#call({ type: 'code-used', usedCode });
  }

  #resume(): void {
    if (this.#pace !== 'suspended' || this.#clock === null) return;
    this.#pace = 'running';
    for (const input of this.#heldInputs.splice(0)) this.#machine.apply(input);
    this.#tell({ type: 'resumed' });
  }

  /** The boundary of a slice was reached: the guest stands still from here on, its time is taken. */
  #suspend(): TransferReply {
    const suspendedAtNs = process.hrtime.bigint();
    this.#pace = 'suspended';
    this.#codeWatchedNs = null;
    this.#introduction?.now();
    this.#outputs.flush();
    this.#machine.harvestDirty(this.#migrationConsumers);
    const machineTicks = this.#machine.guestTimeTicks();
    const clockTicks = this.#clock === null ? machineTicks : guestTicksAt(this.#clock, suspendedAtNs);
    const state = this.#machine.saveState();
    const stateHash = savedStateHash(state);
    this.#tell({ type: 'suspended' });
    return {
      type: 'suspended',
      state,
      stateHash,
      guestTicks: clockTicks > machineTicks ? clockTicks : machineTicks,
      suspendedAtNs,
    };
  }

  #tell(event: VmEvent): void {
    this.#port.postMessage(event);
  }
}
