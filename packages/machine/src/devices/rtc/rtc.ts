/**
 * Goldfish real-time clock: nanoseconds since 1970 derived from guest time, settable, with one alarm.
 * Source: QEMU 7.2, hw/rtc/goldfish_rtc.c (the register interface of Android's goldfish platform).
 */
import type { Device, DeviceEnvironment, DeviceState } from '../device.ts';
import { RTC, RTC_INTERRUPT, TIME_BASE_HZ } from '../memory-map.ts';
import { StateReader } from '../state-reader.ts';

const TIME_LOW = 0x00;
const TIME_HIGH = 0x04;
const ALARM_LOW = 0x08;
const ALARM_HIGH = 0x0c;
const INTERRUPT_ENABLED = 0x10;
const CLEAR_ALARM = 0x14;
const ALARM_STATUS = 0x18;
const CLEAR_INTERRUPT = 0x1c;

const NS_PER_SECOND = 1_000_000_000n;
const NS_PER_TICK = NS_PER_SECOND / BigInt(TIME_BASE_HZ);
const LOW_WORD = 0xffff_ffffn;
const STATE_VERSION = 1;

export class Rtc implements Device {
  readonly name = 'rtc';
  readonly baseAddress = RTC.baseAddress;
  readonly sizeBytes = RTC.sizeBytes;
  readonly interruptSource = RTC_INTERRUPT;

  readonly #environment: DeviceEnvironment;
  /** The clock at guest time 0, modulo 2^64 ns. Survives a reset, as a battery-backed clock does. */
  #offsetNs: bigint;
  /** The high word that goes with the low word read last. */
  #latchedHigh = 0;
  #alarmNs = 0n;
  #alarmRunning = false;
  #interruptPending = false;
  #interruptEnabled = false;

  /** `epochSeconds`: the clock, in seconds since 1970, at guest time 0. */
  constructor(environment: DeviceEnvironment, epochSeconds: number) {
    this.#environment = environment;
    this.#offsetNs = BigInt(Math.trunc(epochSeconds)) * NS_PER_SECOND;
  }

  read(offset: number, size: number): number | undefined {
    if (size !== 4) return undefined;
    this.process();
    switch (offset) {
      case TIME_LOW: {
        const now = this.#nowNs();
        this.#latchedHigh = Number(now >> 32n);
        return Number(now & LOW_WORD);
      }
      case TIME_HIGH:
        return this.#latchedHigh;
      case ALARM_LOW:
        return Number(this.#alarmNs & LOW_WORD);
      case ALARM_HIGH:
        return Number(this.#alarmNs >> 32n);
      case INTERRUPT_ENABLED:
        return this.#interruptEnabled ? 1 : 0;
      case ALARM_STATUS:
        return this.#alarmRunning ? 1 : 0;
      default:
        return 0;
    }
  }

  write(offset: number, size: number, value: number): boolean {
    if (size !== 4) return false;
    this.process();
    const word = BigInt(value >>> 0);
    switch (offset) {
      case TIME_LOW:
        this.#setTime((this.#nowNs() & ~LOW_WORD) | word);
        break;
      case TIME_HIGH:
        this.#setTime((this.#nowNs() & LOW_WORD) | (word << 32n));
        break;
      case ALARM_LOW:
        // Writing the low word arms the alarm: drivers write the high one first.
        this.#alarmNs = (this.#alarmNs & ~LOW_WORD) | word;
        this.#alarmRunning = true;
        this.process();
        break;
      case ALARM_HIGH:
        this.#alarmNs = (this.#alarmNs & LOW_WORD) | (word << 32n);
        break;
      case INTERRUPT_ENABLED:
        this.#interruptEnabled = (value & 1) !== 0;
        this.#updateInterrupt();
        break;
      case CLEAR_ALARM:
        this.#alarmRunning = false;
        break;
      case CLEAR_INTERRUPT:
        this.#interruptPending = false;
        this.#updateInterrupt();
        break;
    }
    return true;
  }

  /** Set from outside: what a clone's clock shows has nothing to do with its template's. */
  setWallClock(timeNs: bigint): void {
    this.#setTime(timeNs);
  }

  /** Fires the alarm if it is due. */
  process(): void {
    if (!this.#alarmRunning || this.#nowNs() < this.#alarmNs) return;
    this.#alarmRunning = false;
    this.#interruptPending = true;
    this.#updateInterrupt();
  }

  alarmTicks(): bigint | undefined {
    if (!this.#alarmRunning) return undefined;
    const now = this.#environment.guestTimeTicks();
    const wait = this.#alarmNs - this.#nowNs();
    return wait <= 0n ? now : now + (wait + NS_PER_TICK - 1n) / NS_PER_TICK;
  }

  reset(): void {
    this.#latchedHigh = 0;
    this.#alarmNs = 0n;
    this.#alarmRunning = false;
    this.#interruptPending = false;
    this.#interruptEnabled = false;
    this.#updateInterrupt();
  }

  save(): DeviceState {
    return {
      version: STATE_VERSION,
      fields: {
        offsetNs: this.#offsetNs,
        latchedHigh: this.#latchedHigh,
        alarmNs: this.#alarmNs,
        alarmRunning: this.#alarmRunning,
        interruptPending: this.#interruptPending,
        interruptEnabled: this.#interruptEnabled,
      },
    };
  }

  restore(state: DeviceState): void {
    const reader = StateReader.open(this.name, state, STATE_VERSION);
    const offsetNs = reader.unsigned64('offsetNs');
    const latchedHigh = reader.integer('latchedHigh', 0, 0xffff_ffff);
    const alarmNs = reader.unsigned64('alarmNs');
    const alarmRunning = reader.boolean('alarmRunning');
    const interruptPending = reader.boolean('interruptPending');
    const interruptEnabled = reader.boolean('interruptEnabled');
    reader.finish();

    this.#offsetNs = offsetNs;
    this.#latchedHigh = latchedHigh;
    this.#alarmNs = alarmNs;
    this.#alarmRunning = alarmRunning;
    this.#interruptPending = interruptPending;
    this.#interruptEnabled = interruptEnabled;
    this.#updateInterrupt();
  }

  #nowNs(): bigint {
    return BigInt.asUintN(64, this.#offsetNs + this.#environment.guestTimeTicks() * NS_PER_TICK);
  }

  #setTime(timeNs: bigint): void {
    this.#offsetNs = BigInt.asUintN(64, this.#offsetNs + timeNs - this.#nowNs());
    this.process();
  }

  #updateInterrupt(): void {
    this.#environment.setInterrupt(this.#interruptPending && this.#interruptEnabled);
  }
}
