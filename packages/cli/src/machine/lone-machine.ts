/**
 * One machine without any cluster, run on this thread: slices of the vCPU, and the event loop between them for what
 * people type. Omitted: the budget of a host's CPU.
 */
import { type CoreModules, type Machine, type MachineInput, pageBytes } from '@skein/machine';
import { GuestTime } from './guest-time.ts';
import { bootLoneMachine, createLoneMachine, type LoneBoard } from './lone-board.ts';
import type { BoardPaths, Recording } from './recording.ts';
import type { StateFile } from './state-file.ts';

export interface LoneMachineOptions extends LoneBoard {
  readonly core: CoreModules;
  /** What the guest is asked to give up of its memory. */
  readonly balloonMib: number;
  /** Takes down everything that enters the machine, from its start to its end or its first reboot. */
  readonly recording?: { readonly file: Recording; readonly paths: BoardPaths };
  /** Goes on from it, if a machine was left there. */
  readonly state?: StateFile;
  /** What the guest sends; the array may be kept. */
  readonly onFrame?: (frame: Uint8Array) => void;
  /** False when the reader is behind: the machine waits for `resumeOutput`. */
  readonly onConsole: (bytes: Uint8Array) => boolean;
}

/** off: the guest turned itself off. ended: `end` was called. rebooted: and it is recorded. */
export interface LoneMachineEnding {
  readonly reason: 'off' | 'ended' | 'rebooted';
  readonly exitCode: number;
}

const pagesPerMib = (1024 * 1024) / pageBytes;
/** The event loop, and with it the keyboard, gets its turn this often. */
const turnNs = 5_000_000;
/** Slices last at most half a millisecond (architecture: Steps). */
const sliceNs = 500_000;
/** An idle machine that nothing wakes looks again this often. */
const idleWaitMsMax = 1000;

export class LoneMachine {
  readonly #options: LoneMachineOptions;
  readonly #machine: Machine;
  #time: GuestTime;
  #power: 'off' | 'reboot' | 'fail' | null = null;
  #exitCode = 0;
  #isEnded = false;
  #isOutputFull = false;
  #wakeUp: () => void = () => {};

  /**
   * @throws MachineError machine.memory-size, machine.image-format, machine.image-too-large, snapshot.*;
   *   OperationError config.invalid
   */
  constructor(options: LoneMachineOptions) {
    this.#options = options;
    this.#machine = createLoneMachine(options.core, options, (output) => {
      if (output.type === 'console') this.#isOutputFull = !options.onConsole(output.bytes.slice());
      else if (output.type === 'frame') options.onFrame?.(output.frame.slice());
      else if (output.type === 'power') {
        this.#power = output.action;
        this.#exitCode = output.exitCode;
      }
    });
    this.#time = options.state?.isThere === true ? this.#wake(options.state) : this.#boot();
    options.recording?.file.begin(this.#machine, options, options.recording.paths);
    this.#apply({ type: 'balloon', targetPages: options.balloonMib * pagesPerMib });
  }

  /** Runs until the guest is off or `end` is called. */
  async run(): Promise<LoneMachineEnding> {
    const { recording } = this.#options;
    try {
      const ending = await this.#runToEnd();
      recording?.file.finish(this.#machine);
      return ending;
    } catch (error) {
      recording?.file.cutOff();
      throw error;
    }
  }

  async #runToEnd(): Promise<LoneMachineEnding> {
    for (;;) {
      const waitMs = this.#turn();
      if (this.#isEnded) return { reason: 'ended', exitCode: 0 };
      if (this.#power === 'off' || this.#power === 'fail') return { reason: 'off', exitCode: this.#exitCode };
      if (this.#power === 'reboot' && this.#options.recording !== undefined) {
        return { reason: 'rebooted', exitCode: 0 };
      }
      if (this.#power === 'reboot') this.#reboot();
      else await this.#pause(this.#isOutputFull ? idleWaitMsMax : waitMs);
    }
  }

  /** Between two turns: after `run` has returned. @throws OperationError machine.failed */
  saveTo(state: StateFile): void {
    state.save(this.#machine, this.#options.nics[0]?.mac ?? null);
  }

  /** What a person typed. */
  type(bytes: Uint8Array): void {
    this.#apply({ type: 'console', bytes });
    this.#wakeUp();
  }

  /** What came from its network. */
  receive(frame: Uint8Array): void {
    this.#apply({ type: 'frame', nic: 0, frame });
    this.#wakeUp();
  }

  resumeOutput(): void {
    this.#isOutputFull = false;
    this.#wakeUp();
  }

  end(): void {
    this.#isEnded = true;
    this.#wakeUp();
  }

  /** Runs slices until the turn is over or nothing is to do; returns how long the machine may sleep, in ms. */
  #turn(): number {
    const startedNs = process.hrtime.bigint();
    let nowNs = startedNs;
    while (nowNs - startedNs < turnNs && !this.#isEnded && !this.#isOutputFull) {
      this.#apply({
        type: 'time',
        guestTicks: this.#time.ticksAt(nowNs),
        ratePerStep: this.#time.ratePerStep,
      });
      const isTimeUp = (): boolean => process.hrtime.bigint() - startedNs > turnNs;
      const { steps, reason } = this.#machine.run(this.#time.stepsIn(sliceNs), isTimeUp);
      const endedNs = process.hrtime.bigint();
      this.#time.account(steps, endedNs - nowNs);
      nowNs = endedNs;
      if (reason === 'halt') return 0;
      if (reason !== 'idle') continue;
      const wake = this.#machine.wake();
      if (wake.kind === 'never') return idleWaitMsMax;
      if (wake.kind === 'at') {
        const waitMs = this.#time.msUntil(wake.guestTicks, nowNs);
        // A timer of the event loop is no finer than a millisecond: what is due sooner is run up to.
        if (waitMs > 0) return Math.min(waitMs, idleWaitMsMax);
      }
    }
    return 0;
  }

  #pause(waitMs: number): Promise<void> {
    return new Promise((resolve) => {
      const immediate = waitMs < 1 ? setImmediate(resolve) : undefined;
      const timer = waitMs < 1 ? undefined : setTimeout(() => this.#wakeUp(), waitMs);
      this.#wakeUp = () => {
        clearTimeout(timer);
        if (immediate === undefined) resolve();
      };
    });
  }

  #apply(input: MachineInput): void {
    this.#options.recording?.file.note(input);
    this.#machine.apply(input);
  }

  /** Its clock goes on from where it stood; the board's clock says what the time is now. */
  #wake(state: StateFile): GuestTime {
    state.load(this.#machine);
    this.#machine.setWallClock(BigInt(Date.now()) * 1_000_000n);
    return new GuestTime(process.hrtime.bigint(), this.#machine.guestTimeTicks());
  }

  #boot(): GuestTime {
    bootLoneMachine(this.#machine, this.#options);
    return new GuestTime(process.hrtime.bigint());
  }

  #reboot(): void {
    this.#power = null;
    this.#machine.clearMemory();
    this.#time = this.#boot();
  }
}
