/**
 * Virtio over MMIO, version 2: probing, feature negotiation, queue configuration, notifications and interrupts for
 * one device. Anything against the rules sets DEVICE_NEEDS_RESET, is counted once, and stops the device until the
 * driver resets it. Omitted: the legacy interface, RING_RESET, shared memory regions.
 * Source: virtio 1.2, "Virtio Over MMIO", "Device Initialization", "Basic Facilities of a Virtio Device".
 */
import type { Device, DeviceEnvironment, DeviceState } from '../device.ts';
import { virtioSlot } from '../memory-map.ts';
import { StateReader } from '../state-reader.ts';
import type { QueueFeatures, Virtqueue } from '../virtqueue/virtqueue.ts';
import { type AddressRegister, QueueSlot } from './queue-slot.ts';
import {
  FEATURE_EVENT_INDEX,
  FEATURE_INDIRECT_DESCRIPTORS,
  FEATURE_VERSION_1,
  INTERRUPT_CONFIG_CHANGE,
  INTERRUPT_USED_BUFFER,
  MAGIC_VALUE,
  REGISTER,
  STATUS,
  TRANSPORT_VERSION,
  VENDOR_ID,
} from './registers.ts';
import { requireSlotContent } from './slot-content.ts';
import type { VirtioDevice, VirtioTransport } from './virtio-device.ts';

const LOW_WORD = 0xffff_ffffn;
const ALL_ONES = 0xffff_ffff;
/** What a driver sets; NEEDS_RESET is the device's. */
const DRIVER_STATUS =
  STATUS.acknowledge | STATUS.driver | STATUS.driverOk | STATUS.featuresOk | STATUS.failed;
const STATE_VERSION = 1;

const ADDRESS_REGISTERS: ReadonlyMap<number, readonly [AddressRegister, 'low' | 'high']> = new Map([
  [REGISTER.queueDescriptorLow, ['descriptorAddress', 'low']],
  [REGISTER.queueDescriptorHigh, ['descriptorAddress', 'high']],
  [REGISTER.queueDriverLow, ['driverAddress', 'low']],
  [REGISTER.queueDriverHigh, ['driverAddress', 'high']],
  [REGISTER.queueDeviceLow, ['deviceAddress', 'low']],
  [REGISTER.queueDeviceHigh, ['deviceAddress', 'high']],
]);

export interface VirtioMmioMetrics {
  kicks: number;
  interrupts: number;
  /** Times the driver broke the rules; the reason of the last one. */
  needsReset: number;
  lastReason: string | undefined;
}

export class VirtioMmio implements Device, VirtioTransport {
  readonly name: string;
  readonly baseAddress: number;
  readonly sizeBytes: number;
  readonly interruptSource: number;
  readonly metrics: VirtioMmioMetrics = { kicks: 0, interrupts: 0, needsReset: 0, lastReason: undefined };

  readonly #environment: DeviceEnvironment;
  readonly #device: VirtioDevice;
  readonly #offered: bigint;
  readonly #slots: readonly QueueSlot[];

  #status = 0;
  #deviceFeaturesSelect = 0;
  #driverFeaturesSelect = 0;
  #driverFeatures = 0n;
  #queueSelect = 0;
  #interruptStatus = 0;
  #configGeneration = 0;

  /** `attach` makes the device, given its transport. */
  constructor(
    slot: number,
    environment: DeviceEnvironment,
    attach: (transport: VirtioTransport) => VirtioDevice,
  ) {
    const place = virtioSlot(slot);
    this.name = `virtio-slot-${slot}`;
    this.baseAddress = place.baseAddress;
    this.sizeBytes = place.sizeBytes;
    this.interruptSource = place.interruptSource;
    this.#environment = environment;
    this.#device = attach(this);
    this.#offered =
      this.#device.features | FEATURE_VERSION_1 | FEATURE_INDIRECT_DESCRIPTORS | FEATURE_EVENT_INDEX;
    this.#slots = this.#device.queueSizesMax.map((sizeMax) => new QueueSlot(sizeMax));
  }

  get memory() {
    return this.#environment.memory;
  }

  isLive(): boolean {
    return (this.#status & (STATUS.driverOk | STATUS.needsReset | STATUS.failed)) === STATUS.driverOk;
  }

  negotiated(feature: bigint): boolean {
    return (this.#status & STATUS.featuresOk) !== 0 && (this.#driverFeatures & feature) === feature;
  }

  queue(index: number): Virtqueue | undefined {
    return this.isLive() ? this.#slots[index]?.queue : undefined;
  }

  notifyUsed(queue: Virtqueue): void {
    if (queue.takeInterruptWanted()) this.#interrupt(INTERRUPT_USED_BUFFER);
  }

  notifyConfigChange(): void {
    this.#configGeneration = (this.#configGeneration + 1) >>> 0;
    if (this.isLive()) this.#interrupt(INTERRUPT_CONFIG_CHANGE);
  }

  fail(reason: string): void {
    if ((this.#status & STATUS.needsReset) !== 0) return;
    this.metrics.needsReset++;
    this.metrics.lastReason = reason;
    const wasLive = this.isLive();
    this.#status |= STATUS.needsReset;
    if (wasLive) this.#interrupt(INTERRUPT_CONFIG_CHANGE);
  }

  /** Control registers are 32 bits wide; any other access reads 0, as on QEMU. */
  read(offset: number, size: number): number | undefined {
    if (offset >= REGISTER.config)
      return readLittleEndian(this.#device.config(), offset - REGISTER.config, size);
    return size === 4 ? this.#readRegister(offset) : 0;
  }

  write(offset: number, size: number, value: number): boolean {
    if (offset >= REGISTER.config) {
      this.#device.writeConfig?.(offset - REGISTER.config, littleEndian(value, size));
    } else if (size === 4) this.#writeRegister(offset, value >>> 0);
    return true;
  }

  process(): void {
    for (const [index, slot] of this.#slots.entries()) {
      if (!slot.isKicked) continue;
      slot.isKicked = false;
      if (this.queue(index) !== undefined) this.#device.kick(index);
    }
  }

  reset(): void {
    this.#status = 0;
    this.#deviceFeaturesSelect = 0;
    this.#driverFeaturesSelect = 0;
    this.#driverFeatures = 0n;
    this.#queueSelect = 0;
    this.#interruptStatus = 0;
    this.#configGeneration = 0;
    for (const slot of this.#slots) slot.reset();
    this.#device.reset();
    this.#environment.setInterrupt(false);
  }

  save(): DeviceState {
    return {
      version: STATE_VERSION,
      fields: {
        deviceId: this.#device.deviceId,
        status: this.#status,
        deviceFeaturesSelect: this.#deviceFeaturesSelect,
        driverFeaturesSelect: this.#driverFeaturesSelect,
        driverFeatures: this.#driverFeatures,
        queueSelect: this.#queueSelect,
        interruptStatus: this.#interruptStatus,
        configGeneration: this.#configGeneration,
        queues: this.#slots.map((slot) => slot.save()),
        [this.#device.kind]: this.#device.save(),
      },
    };
  }

  /**
   * A driver that lets go leaves the selectors as they were, and the next one writes them before it reads what they select.
   * Of the status Linux leaves ACKNOWLEDGE (drivers/virtio/virtio.c, virtio_dev_remove): it knows of the device and has
   * no driver for it.
   */
  stateForNextDriver(): DeviceState {
    const state = this.save();
    if ((this.#status & ~STATUS.acknowledge) !== 0) return state;
    const leftBehind = { status: 0, deviceFeaturesSelect: 0, driverFeaturesSelect: 0, queueSelect: 0 };
    const own = this.#device.stateForNextDriver?.() ?? this.#device.save();
    return { ...state, fields: { ...state.fields, ...leftBehind, [this.#device.kind]: own } };
  }

  restore(state: DeviceState): void {
    requireSlotContent(this.name, state, this.#device.deviceId);
    const reader = StateReader.open(this.name, state, STATE_VERSION);
    reader.integer('deviceId', this.#device.deviceId, this.#device.deviceId);
    const status = reader.integer('status', 0, 0xff);
    if ((status & ~(DRIVER_STATUS | STATUS.needsReset)) !== 0) throw reader.invalid('status', 'known bits');
    const deviceFeaturesSelect = reader.integer('deviceFeaturesSelect', 0, ALL_ONES);
    const driverFeaturesSelect = reader.integer('driverFeaturesSelect', 0, ALL_ONES);
    const driverFeatures = reader.unsigned64('driverFeatures');
    if ((status & STATUS.featuresOk) !== 0 && !this.#acceptable(driverFeatures)) {
      throw reader.invalid('driverFeatures', 'a set that this device offers');
    }
    const queueSelect = reader.integer('queueSelect', 0, ALL_ONES);
    const interruptStatus = reader.integer(
      'interruptStatus',
      0,
      INTERRUPT_USED_BUFFER | INTERRUPT_CONFIG_CHANGE,
    );
    const configGeneration = reader.integer('configGeneration', 0, ALL_ONES);
    if ((status & STATUS.driverOk) !== 0 && (status & STATUS.featuresOk) === 0) {
      throw reader.invalid('status', 'DRIVER_OK after FEATURES_OK');
    }
    const features = queueFeatures(driverFeatures);
    const slotReaders = reader.records('queues', this.#slots.length);
    const slots = this.#slots.map((slot, index) => {
      const slotReader = slotReaders[index];
      if (slotReader === undefined) throw reader.invalid('queues', 'complete');
      return slot.readState(slotReader, this.memory, features);
    });
    const device = this.#device.readState(reader.record(this.#device.kind));
    reader.finish();

    this.#status = status;
    this.#deviceFeaturesSelect = deviceFeaturesSelect;
    this.#driverFeaturesSelect = driverFeaturesSelect;
    this.#driverFeatures = driverFeatures;
    this.#queueSelect = queueSelect;
    this.#interruptStatus = interruptStatus;
    this.#configGeneration = configGeneration;
    for (const slot of slots) slot.apply();
    device.apply();
    this.#environment.setInterrupt(interruptStatus !== 0);
    if (this.#slots.some((slot) => slot.isKicked)) this.#environment.requestProcessing();
  }

  #readRegister(offset: number): number {
    switch (offset) {
      case REGISTER.magicValue:
        return MAGIC_VALUE;
      case REGISTER.version:
        return TRANSPORT_VERSION;
      case REGISTER.deviceId:
        return this.#device.deviceId;
      case REGISTER.vendorId:
        return VENDOR_ID;
      case REGISTER.deviceFeatures:
        return this.#deviceFeaturesSelect < 2
          ? Number((this.#offered >> BigInt(32 * this.#deviceFeaturesSelect)) & LOW_WORD)
          : 0;
      case REGISTER.queueSizeMax:
        return this.#slots[this.#queueSelect]?.sizeMax ?? 0;
      case REGISTER.queueReady:
        return this.#slots[this.#queueSelect]?.queue === undefined ? 0 : 1;
      case REGISTER.interruptStatus:
        return this.#interruptStatus;
      case REGISTER.status:
        return this.#status;
      case REGISTER.sharedMemoryLengthLow:
      case REGISTER.sharedMemoryLengthHigh:
      case REGISTER.sharedMemoryBaseLow:
      case REGISTER.sharedMemoryBaseHigh:
        return ALL_ONES;
      case REGISTER.configGeneration:
        return this.#configGeneration;
      default:
        return 0;
    }
  }

  #writeRegister(offset: number, value: number): void {
    switch (offset) {
      case REGISTER.deviceFeaturesSelect:
        this.#deviceFeaturesSelect = value;
        break;
      case REGISTER.driverFeaturesSelect:
        this.#driverFeaturesSelect = value;
        break;
      case REGISTER.driverFeatures:
        this.#writeDriverFeatures(value);
        break;
      case REGISTER.queueSelect:
        this.#queueSelect = value;
        break;
      case REGISTER.queueNotify:
        this.#notify(value);
        break;
      case REGISTER.interruptAcknowledge:
        this.#interruptStatus &= ~value;
        this.#environment.setInterrupt(this.#interruptStatus !== 0);
        break;
      case REGISTER.status:
        this.#writeStatus(value);
        break;
      default:
        this.#writeQueueRegister(offset, value);
    }
  }

  #writeQueueRegister(offset: number, value: number): void {
    const slot = this.#slots[this.#queueSelect];
    if (slot === undefined) return;
    const address = ADDRESS_REGISTERS.get(offset);
    let isAccepted = true;
    if (address !== undefined) isAccepted = slot.setAddressHalf(...address, value);
    else if (offset === REGISTER.queueSize) isAccepted = slot.setSize(value);
    else if (offset === REGISTER.queueReady) this.#writeQueueReady(slot, value);
    if (!isAccepted) this.fail('the configuration of a ready queue was written');
  }

  #writeQueueReady(slot: QueueSlot, value: number): void {
    if ((value & 1) === 0) {
      slot.disable();
      return;
    }
    if (slot.queue !== undefined) return;
    if ((this.#status & STATUS.featuresOk) === 0) {
      this.fail('a queue was made ready before the features were agreed');
      return;
    }
    const problem = slot.enable(this.memory, queueFeatures(this.#driverFeatures));
    if (problem !== undefined) this.fail(problem);
  }

  #writeDriverFeatures(value: number): void {
    if ((this.#status & STATUS.featuresOk) !== 0 || this.#driverFeaturesSelect > 1) return;
    const shift = BigInt(32 * this.#driverFeaturesSelect);
    this.#driverFeatures = (this.#driverFeatures & ~(LOW_WORD << shift)) | (BigInt(value) << shift);
  }

  /** Bits are only ever added; zero resets. FEATURES_OK stays clear if the features are not acceptable. */
  #writeStatus(value: number): void {
    if (value === 0) {
      this.reset();
      return;
    }
    let added = value & DRIVER_STATUS & ~this.#status;
    if ((added & STATUS.featuresOk) !== 0 && !this.#acceptable(this.#driverFeatures)) {
      added &= ~(STATUS.featuresOk | STATUS.driverOk);
    }
    if ((added & STATUS.driverOk) !== 0 && ((this.#status | added) & STATUS.featuresOk) === 0) {
      added &= ~STATUS.driverOk;
      this.fail('DRIVER_OK without FEATURES_OK');
    }
    this.#status |= added;
    if ((added & STATUS.driverOk) !== 0 && this.isLive()) this.#device.activate();
  }

  #acceptable(features: bigint): boolean {
    return (features & ~this.#offered) === 0n && (features & FEATURE_VERSION_1) !== 0n;
  }

  #notify(index: number): void {
    const slot = this.#slots[index];
    if (slot === undefined || this.queue(index) === undefined) return;
    this.metrics.kicks++;
    slot.isKicked = true;
    this.#environment.requestProcessing();
  }

  #interrupt(cause: number): void {
    this.metrics.interrupts++;
    this.#interruptStatus |= cause;
    this.#environment.setInterrupt(true);
  }
}

function queueFeatures(features: bigint): QueueFeatures {
  return {
    indirectDescriptors: (features & FEATURE_INDIRECT_DESCRIPTORS) !== 0n,
    eventIndex: (features & FEATURE_EVENT_INDEX) !== 0n,
  };
}

function littleEndian(value: number, size: number): Uint8Array {
  return Uint8Array.from({ length: size }, (_, index) => value >>> (8 * index));
}

/** Bytes beyond the end of the space read as 0. */
function readLittleEndian(bytes: Uint8Array, offset: number, size: number): number {
  let value = 0;
  for (let i = size - 1; i >= 0; i--) value = value * 256 + (bytes[offset + i] ?? 0);
  return value;
}
