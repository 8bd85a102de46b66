/** The board's devices at their addresses: test finisher, clock, serial port and eight virtio-mmio slots. */
import type { Device, DeviceEnvironment } from './device.ts';
import { RTC_INTERRUPT, UART_INTERRUPT, VIRTIO_SLOTS } from './memory-map.ts';
import { Rtc } from './rtc/rtc.ts';
import { SifiveTest } from './sifive-test/sifive-test.ts';
import { Uart } from './uart/uart.ts';
import { EmptyVirtioSlot } from './virtio-mmio/empty-slot.ts';

/** Makes the devices of one machine; `environmentFor` gives each its own line into the PLIC (0: it has none). */
export type DeviceFactory = (environmentFor: (interruptSource: number) => DeviceEnvironment) => BoardDevices;

export interface BoardDevices {
  /** All devices, in the order of their sections in a snapshot. */
  readonly devices: readonly Device[];
  readonly uart: Uart;
}

export interface DeviceOptions {
  /** Seconds since 1970 at guest time 0; default 0. */
  readonly rtcEpochSeconds?: number;
}

export function createDevices(options: DeviceOptions): DeviceFactory {
  return (environmentFor) => {
    const uart = new Uart(environmentFor(UART_INTERRUPT));
    const rtc = new Rtc(environmentFor(RTC_INTERRUPT), options.rtcEpochSeconds ?? 0);
    const slots = Array.from({ length: VIRTIO_SLOTS }, (_, slot) => new EmptyVirtioSlot(slot));
    return { devices: [new SifiveTest(environmentFor(0)), rtc, uart, ...slots], uart };
  };
}
