import { describe, expect, it } from 'vitest';
import { BenchEnvironment } from '../test-support/bench-environment.ts';
import { Rtc } from './rtc.ts';

const TIME_LOW = 0x00;
const TIME_HIGH = 0x04;
const ALARM_LOW = 0x08;
const ALARM_HIGH = 0x0c;
const INTERRUPT_ENABLED = 0x10;
const CLEAR_ALARM = 0x14;
const ALARM_STATUS = 0x18;
const CLEAR_INTERRUPT = 0x1c;
const EPOCH_SECONDS = 1_700_000_000;

function bench() {
  const environment = new BenchEnvironment();
  const rtc = new Rtc(environment, EPOCH_SECONDS);
  const get = (register: number) => BigInt(rtc.read(register, 4) ?? -1);
  const setWide = (low: number, high: number, value: bigint) => {
    rtc.write(high, 4, Number(value >> 32n));
    rtc.write(low, 4, Number(value & 0xffff_ffffn));
  };
  return {
    environment,
    rtc,
    get,
    timeNs: () => get(TIME_LOW) | (get(TIME_HIGH) << 32n),
    setTime: (value: bigint) => setWide(TIME_LOW, TIME_HIGH, value),
    setAlarm: (value: bigint) => setWide(ALARM_LOW, ALARM_HIGH, value),
  };
}

describe('the real-time clock', () => {
  it('shows its epoch plus guest time, in nanoseconds', () => {
    const { environment, timeNs } = bench();
    expect(timeNs()).toBe(1_700_000_000_000_000_000n);
    environment.ticks = 12_345n;
    expect(timeNs()).toBe(1_700_000_000_001_234_500n);
  });

  it('gives the high word that belongs to the low word read before', () => {
    const { environment, get, setTime } = bench();
    setTime(0x1_ffff_ffffn);
    expect(get(TIME_LOW)).toBe(0xffff_ffffn);
    environment.ticks = 1n;
    expect(get(TIME_HIGH)).toBe(1n);
    expect(get(TIME_LOW)).toBe(99n);
    expect(get(TIME_HIGH)).toBe(2n);
  });

  it('goes on from the time that the guest sets, through a reset too', () => {
    const { environment, rtc, timeNs, setTime } = bench();
    environment.ticks = 50n;
    setTime(1_000n);
    rtc.reset();
    environment.ticks = 60n;
    expect(timeNs()).toBe(2_000n);
  });

  it('fires its alarm at the tick that it names, once, and interrupts if enabled', () => {
    const { environment, rtc, get, setTime, setAlarm } = bench();
    setTime(0n);
    setAlarm(1_050n);
    expect(rtc.alarmTicks()).toBe(11n);
    rtc.write(INTERRUPT_ENABLED, 4, 1);
    environment.ticks = 10n;
    rtc.process();
    expect([get(ALARM_STATUS), environment.isInterrupting]).toEqual([1n, false]);
    environment.ticks = 11n;
    rtc.process();
    expect([get(ALARM_STATUS), environment.isInterrupting]).toEqual([0n, true]);
    expect(rtc.alarmTicks()).toBeUndefined();
    rtc.write(CLEAR_INTERRUPT, 4, 1);
    expect(environment.isInterrupting).toBe(false);
  });

  it('fires an alarm in the past at once, and never one that was cleared', () => {
    const { environment, rtc, setAlarm } = bench();
    rtc.write(INTERRUPT_ENABLED, 4, 1);
    setAlarm(1n);
    expect(environment.isInterrupting).toBe(true);
    rtc.write(CLEAR_INTERRUPT, 4, 1);
    setAlarm(0xffff_ffff_ffff_ffffn);
    rtc.write(CLEAR_ALARM, 4, 1);
    expect(rtc.alarmTicks()).toBeUndefined();
  });

  it('is restored with a running alarm', () => {
    const first = bench();
    first.setTime(5_000n);
    first.setAlarm(9_000n);
    first.rtc.write(INTERRUPT_ENABLED, 4, 1);
    const second = bench();
    second.rtc.restore(first.rtc.save());
    expect(second.rtc.save()).toEqual(first.rtc.save());
    expect(second.rtc.alarmTicks()).toBe(40n);
    second.environment.ticks = 40n;
    second.rtc.process();
    expect(second.environment.isInterrupting).toBe(true);
  });

  it('refuses a state with a time of more than 64 bits and changes nothing', () => {
    const { rtc } = bench();
    const before = rtc.save();
    const state = { version: 1, fields: { ...before.fields, alarmNs: 1n << 64n } };
    expect(() => rtc.restore(state)).toThrow(expect.objectContaining({ code: 'snapshot.invalid' }));
    expect(rtc.save()).toEqual(before);
  });

  it('faults on accesses that are not words', () => {
    const { rtc } = bench();
    expect(rtc.read(TIME_LOW, 2)).toBeUndefined();
    expect(rtc.write(TIME_LOW, 1, 0)).toBe(false);
  });
});
