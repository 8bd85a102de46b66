/**
 * One machine without any cluster, run on this thread: slices of the vCPU, and the event loop between them for what
 * people type. Omitted: vNICs, snapshots, the budget of a host's CPU; a guest here has no network.
 */
import {
  type BlockBackend,
  bootMachine,
  type CoreModules,
  createDevices,
  createMachineMemory,
  Machine,
  pageBytes,
  VIRTIO_SLOTS,
} from '@skein/machine';
import { GuestTime } from './guest-time.ts';

export interface LoneMachineOptions {
  readonly core: CoreModules;
  readonly memoryMib: number;
  /** Kernel, firmware, or firmware that starts the kernel. */
  readonly kernel?: Uint8Array;
  readonly firmware?: Uint8Array;
  readonly initrd?: Uint8Array;
  readonly bootArguments: string;
  /** 64 bytes: one half for the kernel to start with, the other for its random generator's device. */
  readonly randomSeed: Uint8Array;
  /** What the guest is asked to give up of its memory. */
  readonly balloonMib: number;
  /** At most `disksMax`; the caller closes them. */
  readonly disks: readonly BlockBackend[];
  /** False when the reader is behind: the machine waits for `resumeOutput`. */
  readonly onConsole: (bytes: Uint8Array) => boolean;
}

/** off: the guest turned itself off. ended: `end` was called. */
export interface LoneMachineEnding {
  readonly reason: 'off' | 'ended';
  readonly exitCode: number;
}

/** Two slots are the random generator's and the balloon's. */
export const disksMax = VIRTIO_SLOTS - 2;
const pagesPerMib = (1024 * 1024) / pageBytes;
export const randomSeedBytes = 64;
const seedBytes = randomSeedBytes / 2;
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

  /** @throws MachineError machine.memory-size, machine.image-format, machine.image-too-large */
  constructor(options: LoneMachineOptions) {
    this.#options = options;
    this.#machine = new Machine({
      core: options.core,
      memory: createMachineMemory(options.core, options.memoryMib),
      memoryMib: options.memoryMib,
      devices: createDevices({
        nics: [],
        disks: options.disks.map((backend) => ({ backend })),
        rtcEpochSeconds: Date.now() / 1000,
        rngSeed: options.randomSeed.subarray(seedBytes),
        hasBalloon: true,
      }),
      emit: (output) => {
        if (output.type === 'console') this.#isOutputFull = !options.onConsole(output.bytes.slice());
        else if (output.type === 'power') {
          this.#power = output.action;
          this.#exitCode = output.exitCode;
        }
      },
    });
    this.#time = this.#boot();
    this.#machine.apply({ type: 'balloon', targetPages: options.balloonMib * pagesPerMib });
  }

  /** Runs until the guest is off or `end` is called. */
  async run(): Promise<LoneMachineEnding> {
    for (;;) {
      const waitMs = this.#turn();
      if (this.#isEnded) return { reason: 'ended', exitCode: 0 };
      if (this.#power === 'off' || this.#power === 'fail') return { reason: 'off', exitCode: this.#exitCode };
      if (this.#power === 'reboot') this.#reboot();
      else await this.#pause(this.#isOutputFull ? idleWaitMsMax : waitMs);
    }
  }

  /** What a person typed. */
  type(bytes: Uint8Array): void {
    this.#machine.apply({ type: 'console', bytes });
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
      this.#machine.apply({
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

  #boot(): GuestTime {
    const { kernel, firmware, initrd, bootArguments, randomSeed } = this.#options;
    bootMachine(this.#machine, {
      bootArguments,
      rngSeed: randomSeed.subarray(0, seedBytes),
      ...(kernel === undefined ? {} : { kernel }),
      ...(firmware === undefined ? {} : { firmware }),
      ...(initrd === undefined ? {} : { initrd }),
    });
    return new GuestTime(process.hrtime.bigint());
  }

  #reboot(): void {
    this.#power = null;
    this.#machine.clearMemory();
    this.#time = this.#boot();
  }
}
