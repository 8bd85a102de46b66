/**
 * Registers, status bits and transport features of virtio over MMIO, version 2.
 * Omitted: shared memory regions and RING_RESET; no device here needs them. Packed rings: drivers use split ones.
 * Source: virtio 1.2, "MMIO Device Register Layout", "Device Status Field", "Reserved Feature Bits".
 */

export const MAGIC_VALUE = 0x7472_6976;
export const TRANSPORT_VERSION = 2;
/** "SKEI" in memory order; drivers only print it. */
export const VENDOR_ID = 0x4945_4b53;

export const REGISTER = {
  magicValue: 0x000,
  version: 0x004,
  deviceId: 0x008,
  vendorId: 0x00c,
  deviceFeatures: 0x010,
  deviceFeaturesSelect: 0x014,
  driverFeatures: 0x020,
  driverFeaturesSelect: 0x024,
  queueSelect: 0x030,
  queueSizeMax: 0x034,
  queueSize: 0x038,
  queueReady: 0x044,
  queueNotify: 0x050,
  interruptStatus: 0x060,
  interruptAcknowledge: 0x064,
  status: 0x070,
  queueDescriptorLow: 0x080,
  queueDescriptorHigh: 0x084,
  queueDriverLow: 0x090,
  queueDriverHigh: 0x094,
  queueDeviceLow: 0x0a0,
  queueDeviceHigh: 0x0a4,
  sharedMemoryLengthLow: 0x0b0,
  sharedMemoryLengthHigh: 0x0b4,
  sharedMemoryBaseLow: 0x0b8,
  sharedMemoryBaseHigh: 0x0bc,
  configGeneration: 0x0fc,
  config: 0x100,
} as const;

export const STATUS = {
  acknowledge: 0x01,
  driver: 0x02,
  driverOk: 0x04,
  featuresOk: 0x08,
  needsReset: 0x40,
  failed: 0x80,
} as const;

export const INTERRUPT_USED_BUFFER = 0x1;
export const INTERRUPT_CONFIG_CHANGE = 0x2;

export const FEATURE_INDIRECT_DESCRIPTORS = 1n << 28n;
export const FEATURE_EVENT_INDEX = 1n << 29n;
export const FEATURE_VERSION_1 = 1n << 32n;
