/** The board's devices at their addresses: test finisher, clock, serial port and eight virtio-mmio slots. */
import type { Device, DeviceEnvironment } from './device.ts';
import { RTC_INTERRUPT, UART_INTERRUPT, VIRTIO_SLOTS, virtioSlot } from './memory-map.ts';
import { Rtc } from './rtc/rtc.ts';
import { SifiveTest } from './sifive-test/sifive-test.ts';
import { Uart } from './uart/uart.ts';
import { VirtioConsole } from './virtio-console/virtio-console.ts';
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
  readonly clock: Rtc;
  /** What is, or could be, in the vNICs' slots. */
  readonly perVm: readonly Device[];
  readonly identityPort?: VirtioConsole;
}

export interface DeviceOptions {
  /** At most one a virtio slot. `mac`: "52:54:00:12:34:56", unicast. */
  readonly nics: readonly { readonly mac: string }[];
  /** Seconds since 1970 at guest time 0; default 0. */
  readonly rtcEpochSeconds?: number;
  /** With the port from which a guest reads its identity, in the last slot; then there is one vNIC less. */
  readonly hasIdentityPort?: boolean;
}

/** vNICs that a board has room for beside the identity port. */
export const NICS_BESIDE_IDENTITY_PORT_MAX = VIRTIO_SLOTS - 1;

/**
 * Makes the devices of one machine; `environmentFor` gives each its own line into the PLIC (source 0: it has none).
 * Throws RangeError at once if an option is impossible.
 */
export function createDevices(
  options: DeviceOptions,
): (environmentFor: (interruptSource: number) => DeviceEnvironment) => BoardDeviceSet {
  const { nics, rtcEpochSeconds = 0, hasIdentityPort = false } = options;
  const nicSlots = hasIdentityPort ? NICS_BESIDE_IDENTITY_PORT_MAX : VIRTIO_SLOTS;
  if (nics.length > nicSlots) throw new RangeError(`${nics.length} vNICs; the board has ${nicSlots} slots`);
  if (!Number.isFinite(rtcEpochSeconds)) throw new RangeError(`rtcEpochSeconds is ${rtcEpochSeconds}`);
  const macs = nics.map((nic) => parseMac(nic.mac));

  return (environmentFor) => {
    const uart = new Uart(environmentFor(UART_INTERRUPT));
    const clock = new Rtc(environmentFor(RTC_INTERRUPT), rtcEpochSeconds);
    const models: VirtioNet[] = [];
    const perVm = Array.from({ length: nicSlots }, (_, slot) => {
      const mac = macs[slot];
      if (mac === undefined) return new EmptyVirtioSlot(slot);
      const environment = environmentFor(virtioSlot(slot).interruptSource);
      return new VirtioMmio(slot, environment, (transport) => {
        const model = new VirtioNet({ nic: slot, mac, environment, transport });
        models.push(model);
        return model;
      });
    });
    const identity = hasIdentityPort ? createIdentityPort(environmentFor) : undefined;
    const first = [new SifiveTest(environmentFor(0)), clock, uart];
    return {
      devices: [...first, ...perVm, ...(identity === undefined ? [] : [identity.device])],
      uart,
      nics: models,
      clock,
      perVm,
      ...(identity === undefined ? {} : { identityPort: identity.port }),
    };
  };
}

function createIdentityPort(environmentFor: (interruptSource: number) => DeviceEnvironment): {
  device: Device;
  port: VirtioConsole;
} {
  const slot = VIRTIO_SLOTS - 1;
  const attached: VirtioConsole[] = [];
  const device = new VirtioMmio(slot, environmentFor(virtioSlot(slot).interruptSource), (transport) => {
    const port = new VirtioConsole(transport);
    attached.push(port);
    return port;
  });
  const [port] = attached;
  if (port === undefined) throw new TypeError('the transport attached no device');
  return { device, port };
}
