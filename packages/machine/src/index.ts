import './web-assembly.ts';

export { type BootOptions, planBoot } from './boot.ts';
export { bootMachine } from './boot-machine.ts';
export { busyState } from './busy-state.ts';
export {
  type CoreLayout,
  type CoreModules,
  createMachineMemory,
  createSpareMemory,
  growMachineMemory,
  loadCore,
} from './core-module.ts';
export type { BoardDevices, DeviceFactory } from './device-bus.ts';
export {
  createDevices,
  type DeviceOptions,
  type DiskOptions,
  NICS_BESIDE_IDENTITY_PORT_MAX,
} from './devices/create-devices.ts';
export type { Device, DeviceEnvironment, GuestMemory, MachineOutput } from './devices/device.ts';
export { VIRTIO_SLOTS } from './devices/memory-map.ts';
export { type BlockBackend, SECTOR_BYTES } from './devices/virtio-blk/block-backend.ts';
export { IDENTITY_BYTES_MAX } from './devices/virtio-console/virtio-console.ts';
export { type Difference, firstDifference } from './first-difference.ts';
export { firstTouches, touchFirst } from './first-touch.ts';
export type { BalloonInput, ConsoleInput, DiskInput, MachineInput, NicInput } from './input.ts';
export {
  decodeInputLog,
  diskErrorsSince,
  encodeInputLog,
  encodeLogEnd,
  encodeLogged,
  encodeLogHead,
  type InputLog,
  InputRecorder,
  InputStamp,
  type LoggedDisk,
  type LoggedInput,
  lastStepsOf,
  loggedDisksOf,
  Replay,
  type Restorable,
  replay,
} from './input-log.ts';
export { createLiveAccess, type LiveAccess } from './live-access.ts';
export { LivePages } from './live-pages.ts';
export { Machine, type MachineOptions } from './machine.ts';
export { MachineError, type MachineErrorCode } from './machine-error.ts';
export {
  countPages,
  type DirtyConsumer,
  dirtyConsumers,
  MachineMemory,
  pageBytes,
  pagesOf,
} from './machine-memory.ts';
export { machineVersion } from './machine-version.ts';
export type { RunResult, StopReason, Wake } from './run-result.ts';
export { loadSnapshot, saveSnapshot } from './snapshot.ts';
export { savedStateHash } from './state-codec.ts';
export { addHashes } from './state-hash.ts';
export { loadTemplate, saveTemplate } from './template-file.ts';
export { type UsedCode, usedCodePageBytes } from './used-code.ts';
