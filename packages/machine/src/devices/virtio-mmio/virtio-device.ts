/** What a kind of virtio device is to its transport, and what the transport offers it. */
import type { DeviceField, GuestMemory } from '../device.ts';
import type { StateReader } from '../state-reader.ts';
import type { Virtqueue } from '../virtqueue/virtqueue.ts';

/** A kind of virtio device: network, block, console, entropy, balloon. */
export interface VirtioDevice {
  /** Names the kind in messages and state: "net". */
  readonly kind: string;
  /** Virtio 1.2, "Device Types". */
  readonly deviceId: number;
  /** Offered beyond what the transport offers itself. */
  readonly features: bigint;
  /** Largest size of each queue; their number is the device's. */
  readonly queueSizesMax: readonly number[];
  /** The configuration space as it reads now. */
  config(): Uint8Array;
  /** The driver wrote into the configuration space; only devices with a field to write have this. */
  writeConfig?(offset: number, bytes: Uint8Array): void;
  /** The driver is ready; from now on queues may be used. */
  activate(): void;
  /** The driver notified a queue that is ready. */
  kick(queue: number): void;
  /** Back to power-on state, but what belongs to the wire (link, MAC) stays. */
  reset(): void;
  save(): { readonly [name: string]: DeviceField };
  /** As far as a driver can tell that starts with it; without this method, all of it. */
  stateForNextDriver?(): { readonly [name: string]: DeviceField };
  /** Validates everything, throwing MachineError, before it returns; `apply` assigns. */
  readState(reader: StateReader): { apply(): void };
}

/** The transport as its device sees it. */
export interface VirtioTransport {
  readonly memory: GuestMemory;
  /** DRIVER_OK is set and nothing is broken. */
  isLive(): boolean;
  /** Whether driver and device agreed on a feature. */
  negotiated(feature: bigint): boolean;
  /** The queue, if the driver made it ready and the device is live. */
  queue(index: number): Virtqueue | undefined;
  /** Interrupts the driver if it wants to know about the buffers returned. */
  notifyUsed(queue: Virtqueue): void;
  /** The configuration space has changed: raises the generation and interrupts. */
  notifyConfigChange(): void;
  /** The driver broke the rules: the device does nothing more until it is reset. */
  fail(reason: string): void;
}
