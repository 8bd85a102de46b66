/**
 * What a device model sees of its machine, and what the machine asks of a device. Device models run on the
 * vCPU's thread, between two instructions; nothing here waits. CLINT and PLIC are not devices in this sense:
 * they live in the core (assembly/).
 */

/** Guest RAM as device models may touch it. Addresses are guest physical; every write goes through here. */
export interface GuestMemory {
  /** First guest physical address of RAM: 0x8000_0000. */
  readonly base: number;
  readonly sizeBytes: number;
  /** True if the whole range lies in RAM. Check before every access with an address that the guest chose. */
  contains(address: number, lengthBytes: number): boolean;
  /** A view of live RAM, for reading only. Throws if the range is not in RAM. */
  readable(address: number, lengthBytes: number): Uint8Array;
  /** Copies into RAM: marks the pages dirty and drops code decoded from them (architecture: Dirty log). */
  write(address: number, bytes: Uint8Array): void;
  /**
   * The guest does not need these ranges: they become zero, where they are not zero already, and their whole pages count
   * as free until they are written again (MachineMemory.isFree).
   */
  release(ranges: readonly MemoryRange[]): void;
  read16(address: number): number;
  read32(address: number): number;
  /** Addresses above 2^53 read as Number.MAX_SAFE_INTEGER, which no RAM contains. */
  read64(address: number): number;
  write16(address: number, value: number): void;
  write32(address: number, value: number): void;
}

/** Guest physical. */
export interface MemoryRange {
  readonly address: number;
  readonly lengthBytes: number;
}

/** What leaves a machine. Sinks never wait: a full ring drops and counts (architecture: Inputs). */
export type MachineOutput =
  | { readonly type: 'console'; readonly bytes: Uint8Array }
  | { readonly type: 'frame'; readonly nic: number; readonly frame: Uint8Array }
  | { readonly type: 'power'; readonly action: 'off' | 'reboot' | 'fail'; readonly exitCode: number };

/** The machine's side of a device. */
export interface DeviceEnvironment {
  readonly memory: GuestMemory;
  /** Level of the device's line into the PLIC. */
  setInterrupt(asserted: boolean): void;
  /** Ends the slice at this instruction; `Device.process` of the caller runs before the next one. */
  requestProcessing(): void;
  /** Guest time in ticks of the 10 MHz time base at this step: a pure function of state and inputs. */
  guestTimeTicks(): bigint;
  emit(output: MachineOutput): void;
}

/** A memory-mapped device. Registers are at most 32 bits wide; a wider or misaligned access is a bus error. */
export interface Device {
  /** Stable: names the device's section in snapshots and its metrics. */
  readonly name: string;
  readonly baseAddress: number;
  readonly sizeBytes: number;
  /** PLIC source, 0 for none. */
  readonly interruptSource: number;
  /** `offset` from baseAddress, `size` 1, 2 or 4. Returns the value; undefined is a load access fault. */
  read(offset: number, size: number): number | undefined;
  /** Returns false for a store access fault. */
  write(offset: number, size: number, value: number): boolean;
  /** Work that was asked for by requestProcessing (queue kicks) or fell due (`alarmTicks`). */
  process(): void;
  /**
   * Called whenever a slice ends, before the state may be saved: hands batched output to `emit`. Changes nothing
   * that a guest or a snapshot can see.
   */
  endSlice?(): void;
  /** Guest time at which `process` must run, at the first step that reaches it; undefined for never. */
  alarmTicks?(): bigint | undefined;
  /** Back to power-on state. */
  reset(): void;
  /** Named, versioned, JSON-able state; restoring it gives a device that no guest can tell from this one. */
  save(): DeviceState;
  /** As far as a driver can tell that starts with it; without this method, all of it. */
  stateForNextDriver?(): DeviceState;
  /** Validates every field like a stranger's; throws MachineError('snapshot.invalid') and changes nothing if one is wrong. */
  restore(state: DeviceState): void;
}

export interface DeviceState {
  readonly version: number;
  readonly fields: Readonly<Record<string, DeviceField>>;
}

/** bigint for 64-bit values, Uint8Array for buffers. */
export type DeviceField =
  | number
  | bigint
  | boolean
  | string
  | Uint8Array
  | readonly DeviceField[]
  | { readonly [name: string]: DeviceField };
