/**
 * Guest time as a function of steps, and the exact steps at which the timers fall due.
 * time = base + ((steps - steps0) * rate >> 32), the rate in 2^-32 ticks of the 10 MHz time base per step.
 * Source: design, "Time"; RISC-V privileged manual, "Machine Timer Registers" and "Sstc".
 */
import {
  CLINT_MTIMECMP,
  DEVICE_ALARM,
  MENVCFG,
  MIE,
  NONE,
  STEPS,
  STIMECMP,
  TIME_BASE,
  TIME_RATE,
  TIME_STEPS,
} from './layout';

/** Steps at which mtimecmp, stimecmp and the devices' alarm are reached: derived, recomputed whenever one of their sources changes. */
let machineDue: u64 = 0;
let supervisorDue: u64 = 0;
let deviceDue: u64 = 0;
/** Steps at the end of what the interpreter was asked to do; steps now = this - what is left. */
let budgetEnd: u64 = 0;
/** Steps of the instruction being executed, for slow paths: completed before it. */
let stepsNow: u64 = 0;

export function setBudgetEnd(end: u64): void {
  budgetEnd = end;
}

/** `left` does not count the instruction that is being executed. */
export function setStepsLeft(left: u32): void {
  stepsNow = budgetEnd - (left as u64) - 1;
}

export function setStepsNow(steps: u64): void {
  stepsNow = steps;
}

export function currentSteps(): u64 {
  return stepsNow;
}

export function timeAt(steps: u64): u64 {
  const elapsed = steps - load<u64>(TIME_STEPS);
  const rate = load<u64>(TIME_RATE);
  return load<u64>(TIME_BASE) + (elapsed >> 32) * rate + (((elapsed & 0xffffffff) * rate) >> 32);
}

/** Applies a time input. A base below the present value is clamped up: guest time never runs backwards. */
export function setTime(base: u64, rate: u32): void {
  const now = timeAt(load<u64>(STEPS));
  store<u64>(TIME_BASE, base < now ? now : base);
  store<u64>(TIME_STEPS, load<u64>(STEPS));
  store<u64>(TIME_RATE, rate as u64);
  refreshTimers();
}

/** The first step at which time >= compare. */
function dueStep(compare: u64): u64 {
  const base = load<u64>(TIME_BASE);
  const start = load<u64>(TIME_STEPS);
  if (compare <= base) return start;
  const rate = load<u64>(TIME_RATE);
  if (rate === 0) return NONE;
  const ticks = compare - base;
  const whole = ticks / rate;
  if (whole >= 0x7fffffff) return NONE;
  return start + (whole << 32) + (((ticks % rate) << 32) + rate - 1) / rate;
}

export function refreshTimers(): void {
  machineDue = dueStep(load<u64>(CLINT_MTIMECMP));
  supervisorDue = isSstcEnabled() ? dueStep(load<u64>(STIMECMP)) : NONE;
  const alarm = load<u64>(DEVICE_ALARM);
  deviceDue = alarm === NONE ? NONE : dueStep(alarm);
}

/** Guest time at which run ends so that devices are processed; all ones for never. */
export function setDeviceAlarm(time: u64): void {
  if (time === load<u64>(DEVICE_ALARM)) return;
  store<u64>(DEVICE_ALARM, time);
  refreshTimers();
}

export function isDeviceDue(steps: u64): bool {
  return deviceDue !== NONE && steps >= deviceDue;
}

export function isSstcEnabled(): bool {
  return load<u64>(MENVCFG) >> 63 !== 0;
}

/** The timer bits of mip at a step. */
export function timerBits(steps: u64): u64 {
  return (steps >= machineDue ? 0x80 : 0) | (steps >= supervisorDue ? 0x20 : 0);
}

/** The most steps that may pass before the timer bits change. */
export function stepsToTimer(steps: u64, most: u32): u32 {
  let bound = most as u64;
  if (steps < machineDue) bound = min<u64>(bound, machineDue - steps);
  if (steps < supervisorDue) bound = min<u64>(bound, supervisorDue - steps);
  if (steps < deviceDue) bound = min<u64>(bound, deviceDue - steps);
  return bound as u32;
}

/** The next guest time at which a timer ends a wait or a device wants to be processed, all ones for never. */
export function nextTimer(steps: u64): u64 {
  const enabled = load<u64>(MIE);
  let next = steps < deviceDue ? load<u64>(DEVICE_ALARM) : NONE;
  if ((enabled & 0x80) !== 0 && steps < machineDue) next = min<u64>(next, load<u64>(CLINT_MTIMECMP));
  if ((enabled & 0x20) !== 0 && steps < supervisorDue && isSstcEnabled())
    next = min<u64>(next, load<u64>(STIMECMP));
  return next;
}
