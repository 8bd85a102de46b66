/**
 * The console's serial port: an ns16550A with 16-byte FIFOs, registers and interrupt rules as in QEMU's model.
 * Characters take no time: a byte written is sent at once, and a receive FIFO that waits below its trigger level
 * reports the character timeout at once. Omitted: break, parity and framing errors; nothing here can cause them.
 * Source: TL16C550C data sheet, "Principles of Operation"; QEMU 7.2, hw/char/serial.c.
 */
import { ByteQueue } from '../byte-queue.ts';
import type { Device, DeviceEnvironment, DeviceState } from '../device.ts';
import { UART, UART_INTERRUPT } from '../memory-map.ts';
import { StateReader } from '../state-reader.ts';

const IER_RECEIVED = 0x01;
const IER_TRANSMIT_EMPTY = 0x02;
const IER_LINE_STATUS = 0x04;

const IIR_NONE = 0x01;
const IIR_TRANSMIT_EMPTY = 0x02;
const IIR_RECEIVED = 0x04;
const IIR_LINE_STATUS = 0x06;
const IIR_TIMEOUT = 0x0c;
const IIR_FIFOS = 0xc0;

const FCR_ENABLE = 0x01;
const FCR_CLEAR_RECEIVE = 0x02;
const FCR_CLEAR_TRANSMIT = 0x04;
const FCR_STORED = 0xc9;

const LCR_DIVISOR_LATCH = 0x80;
const MCR_LOOPBACK = 0x10;
const MCR_OUT2 = 0x08;

const LSR_DATA_READY = 0x01;
const LSR_OVERRUN = 0x02;
/** THRE and TEMT: always set, for a byte leaves in the instruction that wrote it. */
const LSR_TRANSMITTER_EMPTY = 0x60;
/** Carrier, data set ready, clear to send; their delta bits never rise. */
const MSR_CONNECTED = 0xb0;

const REGISTERS = 8;
const FIFO_BYTES = 16;
const TRIGGER_BYTES = [1, 4, 8, 14] as const;
/** Divisor at power-on: 9,600 baud from QEMU's default clock. */
const POWER_ON_DIVISOR = 0x0c;
/** Console input that the guest has not read yet; more is dropped. A pasted page or two fits. */
export const CONSOLE_INPUT_BYTES_MAX = 65_536;
const OUTPUT_BATCH_BYTES = 1024;
const NEWLINE = 0x0a;
const STATE_VERSION = 1;

export interface UartMetrics {
  transmittedBytes: number;
  receivedBytes: number;
  /** Input that came while the queue was full. */
  droppedInputBytes: number;
}

export class Uart implements Device {
  readonly name = 'uart';
  readonly baseAddress = UART.baseAddress;
  readonly sizeBytes = UART.sizeBytes;
  readonly interruptSource = UART_INTERRUPT;
  readonly metrics: UartMetrics = { transmittedBytes: 0, receivedBytes: 0, droppedInputBytes: 0 };

  readonly #environment: DeviceEnvironment;
  /** What people typed, before it reaches the FIFO. */
  readonly #input = new ByteQueue(CONSOLE_INPUT_BYTES_MAX);
  readonly #fifo = new ByteQueue(FIFO_BYTES);
  readonly #output = new Uint8Array(OUTPUT_BATCH_BYTES);
  #outputLength = 0;

  #divisor = POWER_ON_DIVISOR;
  #interruptEnable = 0;
  #fifoControl = 0;
  #lineControl = 0;
  #modemControl = MCR_OUT2;
  #scratch = 0;
  /** The one-byte receiver when FIFOs are off. */
  #receiveBuffer = 0;
  #dataReady = false;
  #overrun = false;
  #transmitEmptyPending = false;

  constructor(environment: DeviceEnvironment) {
    this.#environment = environment;
  }

  /** Console input. Takes what fits into the bounded queue and counts the rest as dropped. */
  receive(bytes: Uint8Array): void {
    const accepted = this.#input.push(bytes);
    this.metrics.receivedBytes += accepted;
    this.metrics.droppedInputBytes += bytes.length - accepted;
    this.#acceptInput();
    this.#updateInterrupt();
  }

  read(offset: number, _size: number): number | undefined {
    switch (offset) {
      case 0:
        return this.#latched() ? this.#divisor & 0xff : this.#readReceived();
      case 1:
        return this.#latched() ? this.#divisor >> 8 : this.#interruptEnable;
      case 2:
        return this.#readInterruptIdentity();
      case 3:
        return this.#lineControl;
      case 4:
        return this.#modemControl;
      case 5:
        return this.#readLineStatus();
      case 6:
        return this.#modemStatus();
      case 7:
        return this.#scratch;
      default:
        return undefined;
    }
  }

  write(offset: number, _size: number, value: number): boolean {
    if (offset >= REGISTERS) return false;
    const byte = value & 0xff;
    if (offset === 0 && this.#latched()) this.#divisor = (this.#divisor & 0xff00) | byte;
    else if (offset === 0) this.#transmit(byte);
    else if (offset === 1 && this.#latched()) this.#divisor = (this.#divisor & 0xff) | (byte << 8);
    else if (offset === 1) this.#writeInterruptEnable(byte & 0x0f);
    else if (offset === 2) this.#writeFifoControl(byte);
    else if (offset === 3) this.#lineControl = byte;
    else if (offset === 4) this.#writeModemControl(byte & 0x1f);
    else if (offset === 7) this.#scratch = byte;
    return true;
  }

  process(): void {}

  endSlice(): void {
    if (this.#outputLength === 0) return;
    const bytes = this.#output.slice(0, this.#outputLength);
    this.#outputLength = 0;
    this.#environment.emit({ type: 'console', bytes });
  }

  reset(): void {
    this.#divisor = POWER_ON_DIVISOR;
    this.#interruptEnable = 0;
    this.#fifoControl = 0;
    this.#lineControl = 0;
    this.#modemControl = MCR_OUT2;
    this.#scratch = 0;
    this.#receiveBuffer = 0;
    this.#dataReady = false;
    this.#overrun = false;
    this.#transmitEmptyPending = false;
    this.#input.clear();
    this.#fifo.clear();
    this.#updateInterrupt();
  }

  save(): DeviceState {
    return {
      version: STATE_VERSION,
      fields: {
        divisor: this.#divisor,
        interruptEnable: this.#interruptEnable,
        fifoControl: this.#fifoControl,
        lineControl: this.#lineControl,
        modemControl: this.#modemControl,
        scratch: this.#scratch,
        receiveBuffer: this.#receiveBuffer,
        dataReady: this.#dataReady,
        overrun: this.#overrun,
        transmitEmptyPending: this.#transmitEmptyPending,
        fifo: this.#fifo.toBytes(),
        input: this.#input.toBytes(),
      },
    };
  }

  restore(state: DeviceState): void {
    const reader = StateReader.open(this.name, state, STATE_VERSION);
    const divisor = reader.integer('divisor', 0, 0xffff);
    const interruptEnable = reader.integer('interruptEnable', 0, 0x0f);
    const fifoControl = reader.integer('fifoControl', 0, FCR_STORED);
    if ((fifoControl & ~FCR_STORED) !== 0) throw reader.invalid('fifoControl', 'within its stored bits');
    const lineControl = reader.integer('lineControl', 0, 0xff);
    const modemControl = reader.integer('modemControl', 0, 0x1f);
    const scratch = reader.integer('scratch', 0, 0xff);
    const receiveBuffer = reader.integer('receiveBuffer', 0, 0xff);
    const dataReady = reader.boolean('dataReady');
    const overrun = reader.boolean('overrun');
    const transmitEmptyPending = reader.boolean('transmitEmptyPending');
    const fifo = reader.bytes('fifo', 0, FIFO_BYTES);
    const input = reader.bytes('input', 0, CONSOLE_INPUT_BYTES_MAX);
    const fifosOn = (fifoControl & FCR_ENABLE) !== 0;
    if (!fifosOn && fifo.length > 0) throw reader.invalid('fifo', 'empty while FIFOs are off');
    if (fifosOn && dataReady !== fifo.length > 0) throw reader.invalid('dataReady', 'what the FIFO says');
    reader.finish();

    this.#divisor = divisor;
    this.#interruptEnable = interruptEnable;
    this.#fifoControl = fifoControl;
    this.#lineControl = lineControl;
    this.#modemControl = modemControl;
    this.#scratch = scratch;
    this.#receiveBuffer = receiveBuffer;
    this.#dataReady = dataReady;
    this.#overrun = overrun;
    this.#transmitEmptyPending = transmitEmptyPending;
    this.#fifo.clear();
    this.#fifo.push(fifo);
    this.#input.clear();
    this.#input.push(input);
    this.#updateInterrupt();
  }

  #latched(): boolean {
    return (this.#lineControl & LCR_DIVISOR_LATCH) !== 0;
  }

  #fifosOn(): boolean {
    return (this.#fifoControl & FCR_ENABLE) !== 0;
  }

  #loopsBack(): boolean {
    return (this.#modemControl & MCR_LOOPBACK) !== 0;
  }

  #transmit(byte: number): void {
    if (this.#loopsBack()) {
      this.#takeReceived(byte);
    } else {
      this.#output[this.#outputLength++] = byte;
      this.metrics.transmittedBytes++;
      if (byte === NEWLINE || this.#outputLength === OUTPUT_BATCH_BYTES) this.endSlice();
    }
    this.#transmitEmptyPending = true;
    this.#updateInterrupt();
  }

  /** A byte at the receiver; a full receiver overruns, which only loopback can bring about. */
  #takeReceived(byte: number): void {
    if (this.#fifosOn()) {
      if (this.#fifo.push(Uint8Array.of(byte)) === 0) this.#overrun = true;
    } else {
      if (this.#dataReady) this.#overrun = true;
      this.#receiveBuffer = byte;
    }
    this.#dataReady = true;
  }

  #acceptInput(): void {
    if (this.#loopsBack()) return;
    while (this.#input.length > 0 && (this.#fifosOn() ? this.#fifo.length < FIFO_BYTES : !this.#dataReady)) {
      this.#takeReceived(this.#input.shift() ?? 0);
    }
  }

  #readReceived(): number {
    let byte = this.#receiveBuffer;
    if (this.#fifosOn()) {
      byte = this.#fifo.shift() ?? 0;
      this.#dataReady = this.#fifo.length > 0;
    } else {
      this.#dataReady = false;
    }
    this.#acceptInput();
    this.#updateInterrupt();
    return byte;
  }

  /** Reading the identity of a transmit interrupt acknowledges it. */
  #readInterruptIdentity(): number {
    const identity = this.#interruptIdentity();
    if (identity === IIR_TRANSMIT_EMPTY) {
      this.#transmitEmptyPending = false;
      this.#updateInterrupt();
    }
    return identity | (this.#fifosOn() ? IIR_FIFOS : 0);
  }

  #readLineStatus(): number {
    const status =
      LSR_TRANSMITTER_EMPTY | (this.#dataReady ? LSR_DATA_READY : 0) | (this.#overrun ? LSR_OVERRUN : 0);
    if (this.#overrun) {
      this.#overrun = false;
      this.#updateInterrupt();
    }
    return status;
  }

  /** In loopback the modem's outputs DTR, RTS, OUT1, OUT2 are its inputs DSR, CTS, RI, DCD. */
  #modemStatus(): number {
    if (!this.#loopsBack()) return MSR_CONNECTED;
    const outputs = this.#modemControl;
    return ((outputs & 0x0c) << 4) | ((outputs & 0x02) << 3) | ((outputs & 0x01) << 5);
  }

  /** Enabling the transmit interrupt while the transmitter is empty raises it: Linux and Windows rely on it. */
  #writeInterruptEnable(value: number): void {
    if (((value ^ this.#interruptEnable) & IER_TRANSMIT_EMPTY) !== 0) {
      this.#transmitEmptyPending = (value & IER_TRANSMIT_EMPTY) !== 0;
    }
    this.#interruptEnable = value;
    this.#updateInterrupt();
  }

  #writeFifoControl(value: number): void {
    const toggled = ((value ^ this.#fifoControl) & FCR_ENABLE) !== 0;
    if (toggled || (value & FCR_CLEAR_RECEIVE) !== 0) {
      this.#fifo.clear();
      this.#dataReady = false;
    }
    if (toggled || (value & FCR_CLEAR_TRANSMIT) !== 0) this.#transmitEmptyPending = true;
    this.#fifoControl = value & FCR_STORED;
    this.#acceptInput();
    this.#updateInterrupt();
  }

  #writeModemControl(value: number): void {
    this.#modemControl = value;
    this.#acceptInput();
    this.#updateInterrupt();
  }

  /** Highest priority first, as the data sheet orders them. */
  #interruptIdentity(): number {
    if ((this.#interruptEnable & IER_LINE_STATUS) !== 0 && this.#overrun) return IIR_LINE_STATUS;
    if ((this.#interruptEnable & IER_RECEIVED) !== 0 && this.#dataReady) {
      const trigger = TRIGGER_BYTES[this.#fifoControl >> 6] ?? 1;
      return this.#fifosOn() && this.#fifo.length < trigger ? IIR_TIMEOUT : IIR_RECEIVED;
    }
    if ((this.#interruptEnable & IER_TRANSMIT_EMPTY) !== 0 && this.#transmitEmptyPending) {
      return IIR_TRANSMIT_EMPTY;
    }
    return IIR_NONE;
  }

  #updateInterrupt(): void {
    this.#environment.setInterrupt(this.#interruptIdentity() !== IIR_NONE);
  }
}
