/**
 * A virtio-mmio slot with nothing in it: it answers the probe's magic and version, and device id 0 tells the driver
 * to look no further. Writes are ignored.
 * Source: virtio 1.2, "MMIO Device Register Layout" (DeviceID).
 */
import type { Device, DeviceState } from '../device.ts';
import { virtioSlot } from '../memory-map.ts';
import { StateReader } from '../state-reader.ts';
import { MAGIC_VALUE, REGISTER, TRANSPORT_VERSION, VENDOR_ID } from './registers.ts';
import { requireSlotContent } from './slot-content.ts';

const STATE_VERSION = 1;

export class EmptyVirtioSlot implements Device {
  readonly name: string;
  readonly baseAddress: number;
  readonly sizeBytes: number;
  readonly interruptSource: number;

  constructor(slot: number) {
    const place = virtioSlot(slot);
    this.name = `virtio-slot-${slot}`;
    this.baseAddress = place.baseAddress;
    this.sizeBytes = place.sizeBytes;
    this.interruptSource = place.interruptSource;
  }

  read(offset: number, size: number): number | undefined {
    if (size !== 4) return 0;
    if (offset === REGISTER.magicValue) return MAGIC_VALUE;
    if (offset === REGISTER.version) return TRANSPORT_VERSION;
    return offset === REGISTER.vendorId ? VENDOR_ID : 0;
  }

  write(_offset: number, _size: number, _value: number): boolean {
    return true;
  }

  process(): void {}

  reset(): void {}

  save(): DeviceState {
    return { version: STATE_VERSION, fields: {} };
  }

  restore(state: DeviceState): void {
    requireSlotContent(this.name, state, 0);
    StateReader.open(this.name, state, STATE_VERSION).finish();
  }
}
