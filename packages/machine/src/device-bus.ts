/**
 * The machine's side of its devices: which device answers an address, their interrupt lines, their access to RAM,
 * their alarms. CLINT and PLIC are in the core and never come here.
 */
import type { CoreExports, CoreModules } from './core-module.ts';
import { layoutOf } from './core-module.ts';
import type { Device, DeviceEnvironment, GuestMemory, MachineOutput, MemoryRange } from './devices/device.ts';
import type { BalloonInput, ClockInput, ConsoleInput, DiskInput, IdentityInput, NicInput } from './input.ts';
import { type MachineMemory, pageBytes } from './machine-memory.ts';
import { encodeSections } from './state-codec.ts';

/** What stands on the board: every device, and those that inputs are for. */
export interface BoardDevices {
  readonly devices: readonly Device[];
  readonly uart?: ConsoleInput;
  readonly nics?: readonly NicInput[];
  readonly disks?: readonly DiskInput[];
  readonly identityPort?: IdentityInput;
  readonly clock?: ClockInput;
  readonly balloon?: BalloonInput;
  /** A VM's own, whatever machine it was cloned from: not part of a template. */
  readonly perVm?: readonly Device[];
}

/** Builds a machine's devices; each asks for the environment of its own interrupt source (0 for none). */
export type DeviceFactory = (environmentFor: (interruptSource: number) => DeviceEnvironment) => BoardDevices;

const ramBase = 0x8000_0000;
const never = 0xffff_ffff_ffff_ffffn;

/** RAM as device models touch it. */
export class DeviceMemory implements GuestMemory {
  readonly base = ramBase;
  readonly sizeBytes: number;
  readonly #ram: Uint8Array<SharedArrayBuffer>;
  readonly #view: DataView;
  readonly #memory: MachineMemory;
  readonly #core: CoreExports;

  constructor(memory: MachineMemory, core: CoreExports) {
    this.#memory = memory;
    this.#ram = memory.ram;
    this.sizeBytes = memory.pages * pageBytes;
    this.#view = new DataView(memory.ram.buffer, memory.ram.byteOffset, memory.ram.byteLength);
    this.#core = core;
  }

  contains(address: number, lengthBytes: number): boolean {
    return (
      Number.isInteger(address) &&
      lengthBytes >= 0 &&
      address >= this.base &&
      address + lengthBytes <= this.base + this.sizeBytes
    );
  }

  readable(address: number, lengthBytes: number): Uint8Array {
    const offset = this.#offset(address, lengthBytes);
    return this.#ram.subarray(offset, offset + lengthBytes);
  }

  write(address: number, bytes: Uint8Array): void {
    const offset = this.#offset(address, bytes.length);
    this.#core.dmaPrepare(offset, bytes.length);
    this.#ram.set(bytes, offset);
  }

  release(ranges: readonly MemoryRange[]): void {
    for (const { address, lengthBytes } of ranges) {
      const start = this.#offset(address, lengthBytes);
      const end = start + lengthBytes;
      this.#clear(start, end);
      const first = Math.ceil(start / pageBytes);
      this.#core.markFree(first, Math.max(0, Math.floor(end / pageBytes) - first));
    }
    // Once for all: it takes as long as clearing several pages.
    this.#core.dropFastStores();
  }

  read16(address: number): number {
    return this.#view.getUint16(this.#offset(address, 2), true);
  }

  read32(address: number): number {
    return this.#view.getUint32(this.#offset(address, 4), true);
  }

  read64(address: number): number {
    const value = this.#view.getBigUint64(this.#offset(address, 8), true);
    return value > BigInt(Number.MAX_SAFE_INTEGER) ? Number.MAX_SAFE_INTEGER : Number(value);
  }

  write16(address: number, value: number): void {
    const offset = this.#offset(address, 2);
    this.#core.dmaPrepare(offset, 2);
    this.#view.setUint16(offset, value, true);
  }

  write32(address: number, value: number): void {
    const offset = this.#offset(address, 4);
    this.#core.dmaPrepare(offset, 4);
    this.#view.setUint32(offset, value, true);
  }

  /** Pages that are zero already are not even marked dirty. */
  #clear(start: number, end: number): void {
    for (let at = start; at < end; ) {
      const page = Math.floor(at / pageBytes);
      const next = Math.min(end, (page + 1) * pageBytes);
      if (!this.#isZero(page)) {
        this.#core.dmaPrepare(at, next - at);
        this.#ram.fill(0, at, next);
      }
      at = next;
    }
  }

  #isZero(page: number): boolean {
    if (!this.#memory.isTouched(page)) return true;
    return this.#core.pageIsZero(this.#memory.ramAddress + page * pageBytes) !== 0;
  }

  #offset(address: number, lengthBytes: number): number {
    if (!this.contains(address, lengthBytes)) {
      throw new RangeError(`${lengthBytes} bytes at 0x${address.toString(16)} are not in guest RAM`);
    }
    const offset = address - this.base;
    this.#core.requirePages(offset, lengthBytes);
    return offset;
  }
}

/** Dispatches accesses by address. Built in two steps, because the core needs its imports before it exists. */
export class DeviceBus {
  #board: BoardDevices = { devices: [] };
  #core: CoreExports | undefined;
  #alarmed: readonly Device[] = [];
  #faultWord: Uint32Array = new Uint32Array(1);
  #powerOn: readonly Uint8Array[] = [];

  get board(): BoardDevices {
    return this.#board;
  }

  connect(options: {
    readonly modules: CoreModules;
    readonly memory: MachineMemory;
    readonly core: CoreExports;
    readonly factory: DeviceFactory;
    readonly emit: (output: MachineOutput) => void;
  }): void {
    const { core, memory, emit } = options;
    this.#core = core;
    this.#faultWord = new Uint32Array(memory.ram.buffer, layoutOf(options.modules, 'DEVICE_FAULT'), 1);
    const guestMemory = new DeviceMemory(memory, core);
    this.#board = options.factory((source) => ({
      memory: guestMemory,
      setInterrupt: (asserted) => core.setInterruptLine(source, asserted ? 1 : 0),
      requestProcessing: () => core.requestProcessing(),
      guestTimeTicks: () => BigInt.asUintN(64, core.timeAt(core.currentSteps())),
      emit,
    }));
    this.#alarmed = this.#board.devices.filter((device) => device.alarmTicks !== undefined);
    this.#powerOn = this.#perVm.map(encodeDevice);
  }

  /** The first of the devices of a VM's own that its guest uses, or has changed since power-on. */
  changedPerVmDevice(): Device | undefined {
    return this.#perVm.find((device, index) => {
      const before = this.#powerOn[index];
      return before === undefined || Buffer.compare(before, encodeDevice(device)) !== 0;
    });
  }

  get #perVm(): readonly Device[] {
    return this.#board.perVm ?? [];
  }

  read(address: number, size: number): number {
    const device = this.#find(address >>> 0, size);
    const value = device?.read((address >>> 0) - device.baseAddress, size);
    if (value === undefined) this.#faultWord[0] = 1;
    return value ?? 0;
  }

  write(address: number, size: number, value: number): number {
    const device = this.#find(address >>> 0, size);
    const mask = size === 4 ? 0xffff_ffff : (1 << (size * 8)) - 1;
    const isDone = device?.write((address >>> 0) - device.baseAddress, size, (value & mask) >>> 0) ?? false;
    if (!isDone) this.#faultWord[0] = 1;
    if (device?.alarmTicks !== undefined) this.refreshAlarm();
    return 0;
  }

  process(): void {
    for (const device of this.#board.devices) device.process();
    this.refreshAlarm();
  }

  endSlice(): void {
    for (const device of this.#board.devices) device.endSlice?.();
  }

  reset(): void {
    for (const device of this.#board.devices) device.reset();
  }

  /** Tells the core when the next device wants to be processed. */
  refreshAlarm(): void {
    let next = never;
    for (const device of this.#alarmed) {
      const alarm = device.alarmTicks?.();
      if (alarm !== undefined && alarm < next) next = alarm;
    }
    this.#core?.setDeviceAlarm(next);
    this.#core?.disturb();
  }

  #find(address: number, size: number): Device | undefined {
    for (const device of this.#board.devices) {
      const offset = address - device.baseAddress;
      if (offset >= 0 && offset + size <= device.sizeBytes) return device;
    }
    return undefined;
  }
}

/** What a fresh device of a clone has to be equal to. */
function encodeDevice(device: Device): Uint8Array {
  return encodeSections(new Map([[device.name, device.stateForNextDriver?.() ?? device.save()]]));
}
