import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { DeviceField } from '../device.ts';
import { BenchEnvironment } from '../test-support/bench-environment.ts';
import { CONSOLE_INPUT_BYTES_MAX, Uart } from './uart.ts';

const DATA = 0;
const INTERRUPT_ENABLE = 1;
const IDENTITY = 2;
const FIFO_CONTROL = 2;
const LINE_CONTROL = 3;
const MODEM_CONTROL = 4;
const LINE_STATUS = 5;
const MODEM_STATUS = 6;
const SCRATCH = 7;

function bench() {
  const environment = new BenchEnvironment();
  const uart = new Uart(environment);
  return {
    environment,
    uart,
    get: (register: number) => uart.read(register, 1),
    set: (register: number, value: number) => uart.write(register, 1, value),
    type: (text: string) => uart.receive(new TextEncoder().encode(text)),
    readAll: () => {
      let text = '';
      while (((uart.read(LINE_STATUS, 1) ?? 0) & 1) !== 0)
        text += String.fromCharCode(uart.read(DATA, 1) ?? 0);
      return text;
    },
  };
}

describe('the UART', () => {
  it('sends a line as one output, and the rest when the slice ends', () => {
    const { environment, uart, set } = bench();
    for (const letter of 'one\ntwo') set(DATA, letter.charCodeAt(0));
    expect(environment.outputs).toHaveLength(1);
    uart.endSlice();
    uart.endSlice();
    expect(environment.consoleText()).toBe('one\ntwo');
    expect(environment.outputs).toHaveLength(2);
  });

  it('sends a flood without newlines in bounded batches', () => {
    const { environment, uart, set } = bench();
    for (let i = 0; i < 5000; i++) set(DATA, 0x78);
    uart.endSlice();
    expect(environment.consoleText()).toBe('x'.repeat(5000));
    for (const output of environment.outputs) {
      expect(output.type === 'console' && output.bytes.length <= 1024).toBe(true);
    }
  });

  it('hands typed bytes to the guest in order, with and without FIFOs', () => {
    for (const fifoControl of [0, 1]) {
      const { set, type, readAll } = bench();
      set(FIFO_CONTROL, fifoControl);
      const text = 'a line longer than sixteen bytes\n';
      type(text);
      expect(readAll()).toBe(text);
    }
  });

  it('drops and counts input that nobody reads', () => {
    const { uart, type, set, readAll } = bench();
    set(FIFO_CONTROL, 1);
    type('y'.repeat(CONSOLE_INPUT_BYTES_MAX + 100));
    expect(uart.metrics.droppedInputBytes).toBe(100);
    // The FIFO took 16 bytes of the queue: so many more find room.
    type('z'.repeat(17));
    expect(uart.metrics.droppedInputBytes).toBe(101);
    expect(readAll()).toBe('y'.repeat(CONSOLE_INPUT_BYTES_MAX) + 'z'.repeat(16));
    type('again');
    expect(readAll()).toBe('again');
  });

  it('interrupts for received data until it is read: timeout below the trigger level, data at it', () => {
    const { environment, get, set, type, readAll } = bench();
    set(FIFO_CONTROL, 0x81);
    set(INTERRUPT_ENABLE, 1);
    expect(get(IDENTITY)).toBe(0xc1);
    type('1234567');
    expect(environment.isInterrupting).toBe(true);
    expect(get(IDENTITY)).toBe(0xcc);
    type('8');
    expect(get(IDENTITY)).toBe(0xc4);
    expect(readAll()).toBe('12345678');
    expect(environment.isInterrupting).toBe(false);
  });

  it('interrupts for an empty transmitter when enabled, until its identity is read, and after each byte', () => {
    const { environment, get, set } = bench();
    set(INTERRUPT_ENABLE, 2);
    expect(environment.isInterrupting).toBe(true);
    expect(get(IDENTITY)).toBe(0x02);
    expect(environment.isInterrupting).toBe(false);
    expect(get(IDENTITY)).toBe(0x01);
    set(DATA, 0x41);
    expect(environment.isInterrupting).toBe(true);
    set(INTERRUPT_ENABLE, 0);
    expect(environment.isInterrupting).toBe(false);
  });

  it('reports received data before an empty transmitter', () => {
    const { get, set, type, readAll } = bench();
    set(INTERRUPT_ENABLE, 3);
    type('k');
    expect(get(IDENTITY)).toBe(0x04);
    readAll();
    expect(get(IDENTITY)).toBe(0x02);
  });

  it('keeps divisor latch, scratch and line control apart from data', () => {
    const { environment, uart, get, set } = bench();
    set(LINE_CONTROL, 0x83);
    set(0, 0x34);
    set(1, 0x12);
    expect([get(0), get(1)]).toEqual([0x34, 0x12]);
    set(LINE_CONTROL, 0x03);
    expect(get(INTERRUPT_ENABLE)).toBe(0);
    set(SCRATCH, 0xa5);
    expect(get(SCRATCH)).toBe(0xa5);
    uart.endSlice();
    expect(environment.outputs).toEqual([]);
  });

  it('loops back data and modem lines, as Linux checks when it probes the port', () => {
    const { environment, uart, get, set, readAll } = bench();
    set(FIFO_CONTROL, 1);
    set(MODEM_CONTROL, 0x1a);
    expect((get(MODEM_STATUS) ?? 0) & 0xf0).toBe(0x90);
    for (let i = 0; i < 20; i++) set(DATA, 0x61 + i);
    expect((get(LINE_STATUS) ?? 0) & 0x03).toBe(0x03);
    expect((get(LINE_STATUS) ?? 0) & 0x02).toBe(0);
    expect(readAll()).toBe('abcdefghijklmnop');
    uart.endSlice();
    expect(environment.outputs).toEqual([]);
    set(MODEM_CONTROL, 0x08);
    expect(get(MODEM_STATUS)).toBe(0xb0);
  });

  it('keeps what is typed during loopback until it ends', () => {
    const { set, type, readAll } = bench();
    set(MODEM_CONTROL, 0x10);
    type('later');
    expect(readAll()).toBe('');
    set(MODEM_CONTROL, 0);
    expect(readAll()).toBe('later');
  });

  it('faults beyond its eight registers and answers one register to wide accesses', () => {
    const { uart } = bench();
    expect(uart.read(8, 1)).toBeUndefined();
    expect(uart.write(8, 1, 0)).toBe(false);
    uart.write(SCRATCH, 4, 0x1234_5678);
    expect(uart.read(SCRATCH, 4)).toBe(0x78);
  });

  it('is restored in the middle of input and answers every later access alike', () => {
    const access = fc.record({
      register: fc.nat({ max: 7 }),
      value: fc.option(fc.nat({ max: 255 })),
      typed: fc.option(fc.string({ maxLength: 30 })),
    });
    fc.assert(
      fc.property(fc.array(access), fc.array(access), (before, after) => {
        const first = bench();
        const play = (target: ReturnType<typeof bench>, accesses: typeof before) =>
          accesses.map(({ register, value, typed }) => {
            if (typed !== null) target.type(typed);
            if (value !== null) target.set(register, value);
            return [target.get(register), target.environment.isInterrupting];
          });
        play(first, before);
        first.uart.endSlice();
        first.environment.outputs.length = 0;
        const second = bench();
        second.uart.restore(first.uart.save());
        expect(second.environment.isInterrupting).toBe(first.environment.isInterrupting);
        expect(play(second, after)).toEqual(play(first, after));
        first.uart.endSlice();
        second.uart.endSlice();
        expect(second.environment.consoleText()).toBe(first.environment.consoleText());
        expect(second.uart.save()).toEqual(first.uart.save());
      }),
      { numRuns: 200 },
    );
  });

  it.each<[string, string, DeviceField]>([
    ['an unknown FIFO bit', 'fifoControl', 0x06],
    ['bytes in a FIFO that is off', 'fifo', Uint8Array.of(1)],
    ['more than the FIFO holds', 'fifo', new Uint8Array(17)],
    ['more input than the queue holds', 'input', new Uint8Array(CONSOLE_INPUT_BYTES_MAX + 1)],
    ['a divisor of more than 16 bits', 'divisor', 0x1_0000],
    ['a flag that is a number', 'dataReady', 1],
    ['a field nobody knows', 'parity', 1],
  ])('refuses a state with %s and changes nothing', (_title, field, value) => {
    const { uart, set } = bench();
    set(SCRATCH, 9);
    const before = uart.save();
    const state = { version: 1, fields: { ...before.fields, [field]: value } };
    expect(() => uart.restore(state)).toThrow(expect.objectContaining({ code: 'snapshot.invalid' }));
    expect(uart.save()).toEqual(before);
  });
});
