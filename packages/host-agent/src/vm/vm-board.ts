/**
 * Which devices a VM's machine has: the same on every host that the VM may come to, whatever its guest makes of them.
 * vNICs come first; what else there is stands in the slots that they leave.
 */
import { type DeviceOptions, VIRTIO_SLOTS } from '@skein/machine';

export interface VmBoard {
  readonly nics: readonly { readonly mac: string }[];
  /** 32 bytes for this VM alone; one that comes from elsewhere brings its generator along and forgets them. */
  readonly rngSeed: Uint8Array;
  readonly rtcEpochSeconds: number;
}

/** Most needed first: without identity port a guest can't be cloned. */
export function vmDevices({ nics, rngSeed, rtcEpochSeconds }: VmBoard): DeviceOptions {
  const freeSlots = VIRTIO_SLOTS - nics.length;
  return {
    nics: nics.map(({ mac }) => ({ mac })),
    rtcEpochSeconds,
    hasIdentityPort: freeSlots >= 1,
    ...(freeSlots >= 2 ? { rngSeed } : {}),
    hasBalloon: freeSlots >= 3,
  };
}
