/**
 * The run loop of one vCPU: takes inputs, runs a slice, lets outputs go, sleeps when the guest is idle. It waits on the machine's
 * attention word, so that a command, a frame or a fence always gets through (architecture: Missing pages, Inputs), but for a page
 * that is missing, and for a moment in which it gives way.
 */
import { type MessagePort, receiveMessageOnPort as receive } from 'node:worker_threads';
import { type Machine, type MachineMemory, type RunResult, savedStateHash } from '@skein/machine';
import { type GuestClock, guestTicksAt, hostNsAt } from '../core/guest-clock.ts';
import { AheadOfGuest, isHint } from './ahead-of-guest.ts';
import { answerTo, refuse } from './answer-transfer.ts';
import type { VmControlBlock } from './control-block.ts';
import { HeadStart } from './head-start.ts';
import { HeldInputs } from './held-inputs.ts';
import type { Introduction } from './introduction.ts';
import { PageWait } from './page-wait.ts';
import { SliceLength } from './slice-length.ts';
import { suspendedReply } from './suspended-reply.ts';
import { SuspensionPoint } from './suspension-point.ts';
import { UsedCodeWatch } from './used-code-watch.ts';
import type {
  AnsweredCommand,
  HintCommand,
  TransferCall,
  TransferCommand,
  TransferReply,
  VmCommand,
  VmEvent,
} from './vm-channel.ts';
import type { VmOutputs } from './vm-outputs.ts';

/** Devices that a guest makes work hard get this much longer, then the lease and the commands are looked at. */
const deviceNsMax = 2_000_000n;
/** The least; the kernel adds its timers' slack, 50 us. */
const giveWayMs = 0.02;
/** A guest that has just arrived and has said something waits no longer than this until that is passed on. */
const wordsWaitMsMax = 1;
/** While frozen the deadline is looked at this often. */
const frozenPollMs = 10;
/** Who waits for anything looks around this often although nothing wakes it. */
const idleWaitMsMax = 250;
/** An idle guest: its lease's deadline, as it stood when it fell asleep, wakes it, and commands do. */
const asleepMsMax = 1000;

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
  readonly #heldInputs = new HeldInputs();
  readonly #length: SliceLength;
  readonly #migrationConsumers: number;
  readonly #introduction: Introduction | null;
  #wasIdle = false;
  #clock: GuestClock | null;
  #pace: Pace;
  #hasRun = false;
  /** For the migration at work: its first round begins with it. */
  #hasRehearsedSuspension = false;
  readonly #codeWatch: UsedCodeWatch;
  readonly #ahead: AheadOfGuest;
  readonly #headStart: HeadStart;
  readonly #suspensionPoint = new SuspensionPoint();
  #isEnded = false;
  #isAnnounced = false;
  readonly #never = new Int32Array(new SharedArrayBuffer(4));
  readonly #pageWait: PageWait;

  constructor(options: VmLoopOptions) {
    this.#machine = options.machine;
    this.#memory = options.memory;
    this.#control = options.control;
    this.#length = new SliceLength(options.control, process.hrtime.bigint());
    this.#outputs = options.outputs;
    this.#port = options.port;
    this.#clock = options.clock;
    this.#migrationConsumers = options.migrationConsumers;
    this.#introduction = options.introduction;
    this.#pace = options.clock === null ? 'suspended' : 'running';
    this.#codeWatch = new UsedCodeWatch(options.machine, (usedCode) =>
      this.#call({ type: 'code-used', usedCode }),
    );
    this.#ahead = new AheadOfGuest(options.machine, () => {
      this.#transferPort?.postMessage({ type: 'decoded-ahead' } satisfies TransferReply);
    });
    this.#headStart = new HeadStart(options.outputs);
    this.#pageWait = new PageWait({
      memory: options.memory,
      control: options.control,
      call: (call) => this.#call(call),
    });
  }

  /** Returns when the VM has ended; until then this thread belongs to its vCPU. */
  run(): void {
    try {
      this.#live();
    } finally {
      // Who has asked for its suspension need not wait for a deadline to learn that there is nothing to suspend.
      if (this.#suspensionPoint.deadlineNs !== null && this.#transferPort !== null)
        refuse(this.#transferPort, 'the VM has ended');
    }
  }

  #live(): void {
    while (!this.#isEnded) {
      this.#memory.takeAttention();
      this.#takeCommands();
      if (this.#isEnded) return;
      if (this.#isToStop()) this.#stopForTransfer();
      if (this.#pace === 'suspended' || this.#clock === null) {
        this.#standStill();
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
      this.#headStart.raise();
      this.#outputs.takeFrames(this.#machine);
      this.#slice(this.#clock, nowNs);
    }
  }

  /** What there is to do for a guest that has no right to run yet. */
  #standStill(): void {
    const { clock } = this.#headStart;
    if (clock !== null) {
      this.#headStart.go((steps) => this.#advance(clock, process.hrtime.bigint(), steps));
    } else if (!this.#ahead.goOn(() => this.#memory.isPoked)) this.#memory.waitForAttention(idleWaitMsMax);
  }

  #slice(clock: GuestClock, nowNs: bigint): void {
    const length = this.#length.steps(nowNs);
    if (length === null) {
      this.#waitForBudget();
      return;
    }
    const { reason, steps } = this.#advance(clock, nowNs, length);
    this.#wasIdle = reason === 'idle';
    const endedNs = process.hrtime.bigint();
    if (!this.#hasRun && steps > 0) {
      this.#hasRun = true;
      this.#tell({ type: 'first-step', atNs: endedNs });
    }
    this.#outputs.flush();
    this.#codeWatch.look(endedNs);
    this.#suspensionPoint.took(steps, this.#wasIdle, endedNs);
    if (this.#outputs.hasEnded) {
      this.#isEnded = true;
    } else if (this.#wasIdle && !this.#isAskedWho() && !this.#isToStop()) {
      this.#sleepUntilWake(clock, endedNs);
    } else if (this.#length.isArriving) {
      this.#giveWay();
    }
  }

  #advance(clock: GuestClock, nowNs: bigint, steps: number): RunResult {
    this.#machine.apply({
      type: 'time',
      guestTicks: guestTicksAt(clock, nowNs),
      ratePerStep: this.#length.ratePerStep,
    });
    const isTimeUp = (): boolean => process.hrtime.bigint() - nowNs > deviceNsMax;
    const cpuBefore = process.threadCpuUsage();
    const result = this.#machine.run(steps, isTimeUp);
    this.#account(result, nowNs, process.hrtime.bigint(), cpuBefore);
    return result;
  }

  /**
   * Who was woken by this thread stands behind it, on the same processor, for as long as it runs (Linux looks at that with each tick of its
   * own, 4 ms), though another one may be idle. Where a guest arrives these are all that bring its lease and its first words on.
   */
  #giveWay(): void {
    Atomics.wait(this.#never, 0, 0, giveWayMs);
  }

  /** In the middle of an instruction. */
  awaitPage(page: number): void {
    this.#pageWait.wait(page);
  }

  #call(call: TransferCall): void {
    this.#transferPort?.postMessage(call);
  }

  /** The guest waits for us, not we for it. */
  #isAskedWho(): boolean {
    return this.#introduction !== null && !this.#introduction.isOver && this.#machine.isIdentityAwaited;
  }

  #account(result: RunResult, startedNs: bigint, endedNs: bigint, cpuBefore: NodeJS.CpuUsage): void {
    const { user, system } = process.threadCpuUsage(cpuBefore);
    const elapsedNs = Number(endedNs - startedNs - this.#pageWait.takeWaitNs());
    this.#length.took(result, { elapsedNs, cpuNs: (user + system) * 1000 });
    this.#control.addBusyNs(endedNs - startedNs);
    // Before there is a clock the lease is not here: such steps count with it, or were never taken.
    if (this.#clock !== null) this.#control.countSteps(this.#machine.steps, result.steps);
  }

  #sleepUntilWake(clock: GuestClock, nowNs: bigint): void {
    const wake = this.#machine.wake();
    if (wake.kind === 'now') return;
    let untilNs = this.#suspensionPoint.deadlineNs ?? this.#control.deadlineNs;
    if (wake.kind === 'at') {
      const wakesAtNs = hostNsAt(clock, wake.guestTicks);
      if (wakesAtNs < untilNs) untilNs = wakesAtNs;
    }
    const waitMs = Math.min(asleepMsMax, Number(untilNs - nowNs) / 1e6);
    if (waitMs > 0) this.#memory.waitForAttention(waitMs);
  }

  /** A copy that may not run, or stands still already, is stopped where it is. */
  #isToStop(): boolean {
    if (this.#suspensionPoint.deadlineNs === null) return false;
    const nowNs = process.hrtime.bigint();
    const clock = this.#clock;
    if (this.#pace !== 'running' || clock === null || !this.#control.isAllowed(nowNs)) return true;
    const wake = this.#machine.wake();
    const isAsleep = this.#wasIdle && wake.kind !== 'now';
    const wakesAtNs = wake.kind === 'at' ? hostNsAt(clock, wake.guestTicks) : null;
    return this.#suspensionPoint.isHere({ nowNs, isAsleep, wakesAtNs });
  }

  #stopForTransfer(): void {
    this.#suspensionPoint.reached();
    const port = this.#transferPort;
    if (port !== null) answerTo(port, () => this.#suspend());
  }

  #waitForBudget(): void {
    const startedNs = process.hrtime.bigint();
    // One that would stand still anyway is stopped here.
    if (this.#suspensionPoint.hasten(startedNs)) return;
    this.#memory.waitForAttention(this.#length.waitMs);
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
    for (let next = receive(this.#port); next !== undefined; next = receive(this.#port)) {
      this.#obey(next.message as VmCommand);
    }
    const transfer = this.#transferPort;
    if (transfer === null) return;
    for (let next = receive(transfer); next !== undefined; next = receive(transfer)) {
      this.#take(transfer, next.message as TransferCommand);
    }
  }

  #obey(command: VmCommand): void {
    switch (command.type) {
      case 'input':
        if (command.input.type === 'console') this.#introduction?.spokenTo();
        if (this.#pace === 'suspended') this.#heldInputs.hold(command.input);
        else this.#machine.apply(command.input);
        break;
      case 'attach-transfer':
        this.#transferPort?.close();
        this.#transferPort = command.port;
        this.#hasRehearsedSuspension = false;
        this.#codeWatch.end();
        this.#suspensionPoint.reached();
        break;
      case 'announce':
        this.#isAnnounced = true;
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

  #take(port: MessagePort, command: TransferCommand): void {
    if (isHint(command)) {
      this.#ahead.hear(command);
      return;
    }
    if (command.type === 'head-start') {
      this.#ahead.finish();
      this.#headStart.begin(command.clock);
      return;
    }
    if (command.type === 'suspend') this.#suspensionPoint.ask(process.hrtime.bigint(), this.#wasIdle);
    else answerTo(port, () => this.#answer(command));
    if (command.type === 'activate') this.#letWordsOut();
  }

  /** What the guest said in its head start is on its way, and the processors are for that: `announce` says that it has left. */
  #letWordsOut(): void {
    if (!this.#isAnnounced && this.#outputs.emittedBytes > 0) this.#memory.waitForAttention(wordsWaitMsMax);
    this.#giveWay();
  }

  #answer(command: Exclude<AnsweredCommand, HintCommand | { readonly type: 'suspend' }>): TransferReply {
    switch (command.type) {
      case 'harvest':
        this.#machine.harvestDirty(this.#migrationConsumers);
        if (!this.#hasRehearsedSuspension) this.#rehearseSuspension();
        return { type: 'harvested' };
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
    const atNs = process.hrtime.bigint();
    const ahead = { ...this.#ahead.finish(), headStartSteps: this.#headStart.end() };
    this.#control.countSteps(this.#machine.steps, ahead.headStartSteps);
    this.#clock = clock;
    this.#length.arrived();
    this.#pace = 'running';
    if (this.#outputs.hasEnded) this.#isEnded = true;
    this.#heldInputs.letGo(this.#machine);
    this.#tell({ type: 'resumed' });
    return { type: 'activated', atNs, ahead };
  }

  /** What runs for the first time runs slowly; downtime is no time for that. */
  #rehearseSuspension(): void {
    this.#hasRehearsedSuspension = true;
    this.#machine.saveState();
    this.#codeWatch.begin(process.hrtime.bigint());
  }

  #resume(): void {
    // Asked to stop and to go on before it stood: who waits for the first hears of it first.
    if (this.#suspensionPoint.deadlineNs !== null) this.#stopForTransfer();
    if (this.#pace !== 'suspended' || this.#clock === null) return;
    this.#pace = 'running';
    this.#heldInputs.letGo(this.#machine);
    this.#tell({ type: 'resumed' });
  }

  /** The boundary of a slice was reached: the guest stands still from here on, its time is taken. */
  #suspend(): TransferReply {
    const suspendedAtNs = process.hrtime.bigint();
    this.#pace = 'suspended';
    this.#codeWatch.end();
    this.#introduction?.now();
    this.#outputs.flush();
    this.#machine.harvestDirty(this.#migrationConsumers);
    const suspended = suspendedReply(this.#machine, this.#clock, suspendedAtNs);
    this.#tell({ type: 'suspended' });
    return suspended;
  }

  #tell(event: VmEvent): void {
    this.#port.postMessage(event);
  }
}
