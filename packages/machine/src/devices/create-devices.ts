/**
 * The board's devices at their addresses: test finisher, clock, serial port and eight virtio-mmio slots. From slot 0 up
 * stand the vNICs, then the disks; from the last slot down the identity port, the random generator, the balloon.
 */
import type { Device, DeviceEnvironment } from './device.ts';
import { RTC_INTERRUPT, UART_INTERRUPT, VIRTIO_SLOTS, virtioSlot } from './memory-map.ts';
import { Rtc } from './rtc/rtc.ts';
import { SifiveTest } from './sifive-test/sifive-test.ts';
import { Uart } from './uart/uart.ts';
import { VirtioBalloon } from './virtio-balloon/virtio-balloon.ts';
import { type BlockBackend, SECTOR_BYTES } from './virtio-blk/block-backend.ts';
import { SERIAL_BYTES_MAX, VirtioBlk } from './virtio-blk/virtio-blk.ts';
import { VirtioConsole } from './virtio-console/virtio-console.ts';
import { EmptyVirtioSlot } from './virtio-mmio/empty-slot.ts';
import type { VirtioDevice, VirtioTransport } from './virtio-mmio/virtio-device.ts';
import { VirtioMmio } from './virtio-mmio/virtio-mmio.ts';
import { parseMac } from './virtio-net/mac-address.ts';
import { VirtioNet } from './virtio-net/virtio-net.ts';
import { SEED_BYTES } from './virtio-rng/random-generator.ts';
import { VirtioRng } from './virtio-rng/virtio-rng.ts';

/** The devices of one machine. */
export interface BoardDeviceSet {
  /** All devices, in the order of their sections in a snapshot. */
  readonly devices: readonly Device[];
  readonly uart: Uart;
  /** By vNIC number; vNIC i is in virtio slot i. */
  readonly nics: readonly VirtioNet[];
  /** By disk number. */
  readonly disks: readonly VirtioBlk[];
  readonly clock: Rtc;
  /** What is, or could be, in all slots but the identity port's: no two VMs have it alike. */
  readonly perVm: readonly Device[];
  readonly identityPort?: VirtioConsole;
  readonly rng?: VirtioRng;
  readonly balloon?: VirtioBalloon;
}

export interface DiskOptions {
  readonly backend: BlockBackend;
  /** What the guest calls the disk by, at most 20 printable ASCII characters. Default: `disk0`, `disk1`, ... */
  readonly serial?: string;
}

export interface DeviceOptions {
  /** `mac`: "52:54:00:12:34:56", unicast. */
  readonly nics: readonly { readonly mac: string }[];
  readonly disks?: readonly DiskOptions[];
  /** Seconds since 1970 at guest time 0; default 0. */
  readonly rtcEpochSeconds?: number;
  /** 32 bytes that nobody can guess: with a random generator whose numbers follow from them. */
  readonly rngSeed?: Uint8Array;
  /** With a balloon, by which the guest gives up pages and says which are free. */
  readonly hasBalloon?: boolean;
  /** With the port from which a guest reads its identity, in the last slot. */
  readonly hasIdentityPort?: boolean;
}

/** vNICs that a board has room for beside the identity port. */
export const NICS_BESIDE_IDENTITY_PORT_MAX = VIRTIO_SLOTS - 1;

type EnvironmentFor = (interruptSource: number) => DeviceEnvironment;
type Attach<Kind> = (transport: VirtioTransport, environment: DeviceEnvironment) => Kind;

/**
 * Makes the devices of one machine; `environmentFor` gives each its own line into the PLIC (source 0: it has none).
 * Throws RangeError at once if an option is impossible.
 */
export function createDevices(options: DeviceOptions): (environmentFor: EnvironmentFor) => BoardDeviceSet {
  const {
    nics,
    disks = [],
    rtcEpochSeconds = 0,
    rngSeed,
    hasBalloon = false,
    hasIdentityPort = false,
  } = options;
  const fromTheEnd = [hasIdentityPort, rngSeed !== undefined, hasBalloon].filter(Boolean).length;
  const places = nics.length + disks.length + fromTheEnd;
  if (places > VIRTIO_SLOTS) {
    const what = `${nics.length} vNICs, ${disks.length} disks and ${fromTheEnd} other devices`;
    throw new RangeError(`${what} need ${places} virtio slots; the board has ${VIRTIO_SLOTS}`);
  }
  if (!Number.isFinite(rtcEpochSeconds)) throw new RangeError(`rtcEpochSeconds is ${rtcEpochSeconds}`);
  if (rngSeed !== undefined && rngSeed.length !== SEED_BYTES) {
    throw new RangeError(`rngSeed has ${rngSeed.length} bytes, not ${SEED_BYTES}`);
  }
  const macs = nics.map((nic) => parseMac(nic.mac));
  const checked = disks.map(checkDisk);

  return (environmentFor) => {
    const slots = new VirtioSlots(environmentFor);
    const uart = new Uart(environmentFor(UART_INTERRUPT));
    const clock = new Rtc(environmentFor(RTC_INTERRUPT), rtcEpochSeconds);
    const nicModels = macs.map((mac, nic) =>
      slots.plugFirst((transport, environment) => new VirtioNet({ nic, mac, environment, transport })),
    );
    const diskModels = checked.map((disk) =>
      slots.plugFirst((transport) => new VirtioBlk({ ...disk, transport })),
    );
    const identityPort = hasIdentityPort
      ? slots.plugLast((transport) => new VirtioConsole(transport))
      : undefined;
    const rng = rngSeed && slots.plugLast((transport) => new VirtioRng(transport, rngSeed));
    const balloon = hasBalloon ? slots.plugLast((transport) => new VirtioBalloon(transport)) : undefined;
    return {
      devices: [new SifiveTest(environmentFor(0)), clock, uart, ...slots.devices],
      uart,
      nics: nicModels,
      disks: diskModels,
      clock,
      perVm: hasIdentityPort ? slots.devices.slice(0, -1) : slots.devices,
      ...(identityPort === undefined ? {} : { identityPort }),
      ...(rng === undefined ? {} : { rng }),
      ...(balloon === undefined ? {} : { balloon }),
    };
  };
}

function checkDisk({ backend, serial }: DiskOptions, index: number): Required<DiskOptions> {
  const { capacityBytes } = backend;
  if (!Number.isSafeInteger(capacityBytes) || capacityBytes <= 0 || capacityBytes % SECTOR_BYTES !== 0) {
    throw new RangeError(
      `disk ${index} has ${capacityBytes} bytes: a disk has whole sectors of ${SECTOR_BYTES}`,
    );
  }
  const name = serial ?? `disk${index}`;
  if (name.length > SERIAL_BYTES_MAX || !/^[ -~]*$/.test(name)) {
    const bound = `at most ${SERIAL_BYTES_MAX} printable ASCII characters`;
    throw new RangeError(`the serial of disk ${index} is not ${bound}: ${JSON.stringify(name)}`);
  }
  return { backend, serial: name };
}

/** The eight slots, filled from both ends. */
class VirtioSlots {
  readonly #environmentFor: EnvironmentFor;
  readonly #devices: Device[] = Array.from({ length: VIRTIO_SLOTS }, (_, slot) => new EmptyVirtioSlot(slot));
  #first = 0;
  #last = VIRTIO_SLOTS - 1;

  constructor(environmentFor: EnvironmentFor) {
    this.#environmentFor = environmentFor;
  }

  get devices(): readonly Device[] {
    return this.#devices;
  }

  plugFirst<Kind extends VirtioDevice>(attach: Attach<Kind>): Kind {
    return this.#plug(this.#first++, attach);
  }

  plugLast<Kind extends VirtioDevice>(attach: Attach<Kind>): Kind {
    return this.#plug(this.#last--, attach);
  }

  #plug<Kind extends VirtioDevice>(slot: number, attach: Attach<Kind>): Kind {
    const environment = this.#environmentFor(virtioSlot(slot).interruptSource);
    const attached: Kind[] = [];
    this.#devices[slot] = new VirtioMmio(slot, environment, (transport) => {
      const model = attach(transport, environment);
      attached.push(model);
      return model;
    });
    const [model] = attached;
    if (model === undefined) throw new TypeError('the transport attached no device');
    return model;
  }
}
