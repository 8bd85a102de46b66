/** The board's devices at their addresses: test finisher, clock, serial port and eight virtio-mmio slots. */
import type { Device, DeviceEnvironment } from './device.ts';
import { RTC_INTERRUPT, UART_INTERRUPT, VIRTIO_SLOTS, virtioSlot } from './memory-map.ts';
import { Rtc } from './rtc/rtc.ts';
import { SifiveTest } from './sifive-test/sifive-test.ts';
import { Uart } from './uart/uart.ts';
import { EmptyVirtioSlot } from './virtio-mmio/empty-slot.ts';
import { VirtioMmio } from './virtio-mmio/virtio-mmio.ts';
import { parseMac } from './virtio-net/mac-address.ts';
import { VirtioNet } from './virtio-net/virtio-net.ts';

/** The devices of one machine. */
export interface BoardDeviceSet {
  /** All devices, in the order of their sections in a snapshot. */
  readonly devices: readonly Device[];
  readonly uart: Uart;
  /** By vNIC number; vNIC i is in virtio slot i. */
  readonly nics: readonly VirtioNet[];
}

export interface DeviceOptions {
  /** At most one a virtio slot. `mac`: "52:54:00:12:34:56", unicast. */
  readonly nics: readonly { readonly mac: string }[];
  /** Seconds since 1970 at guest time 0; default 0. */
  readonly rtcEpochSeconds?: number;
}

/**
 * Makes the devices of one machine; `environmentFor` gives each its own line into the PLIC (source 0: it has none).
 * Throws RangeError at once if an option is impossible.
 */
export function createDevices(
  options: DeviceOptions,
): (environmentFor: (interruptSource: number) => DeviceEnvironment) => BoardDeviceSet {
  const { nics, rtcEpochSeconds = 0 } = options;
  if (nics.length > VIRTIO_SLOTS)
    throw new RangeError(`${nics.length} vNICs; the board has ${VIRTIO_SLOTS} slots`);
  if (!Number.isFinite(rtcEpochSeconds)) throw new RangeError(`rtcEpochSeconds is ${rtcEpochSeconds}`);
  const macs = nics.map((nic) => parseMac(nic.mac));

  return (environmentFor) => {
    const uart = new Uart(environmentFor(UART_INTERRUPT));
    const rtc = new Rtc(environmentFor(RTC_INTERRUPT), rtcEpochSeconds);
    const slots: Device[] = [];
    const models: VirtioNet[] = [];
    for (let slot = 0; slot < VIRTIO_SLOTS; slot++) {
      const mac = macs[slot];
      if (mac === undefined) {
        slots.push(new EmptyVirtioSlot(slot));
        continue;
      }
      const environment = environmentFor(virtioSlot(slot).interruptSource);
      slots.push(
        new VirtioMmio(slot, environment, (transport) => {
          const model = new VirtioNet({ nic: slot, mac, environment, transport });
          models.push(model);
          return model;
        }),
      );
    }
    return { devices: [new SifiveTest(environmentFor(0)), rtc, uart, ...slots], uart, nics: models };
  };
}
