/** What a saved virtio slot held, so that a state of another board is refused with a word about the difference. */
import { MachineError } from '../../machine-error.ts';
import type { DeviceState } from '../device.ts';

/** Virtio 1.2, "Device Types"; 0 is an empty slot. */
const NAMES: ReadonlyMap<unknown, string> = new Map([
  [0, 'no device'],
  [1, 'a network device'],
  [2, 'a disk'],
  [3, 'a console'],
  [4, 'a random generator'],
  [5, 'a balloon'],
]);

/** @throws MachineError snapshot.other-machine if the state is not of a slot with this device */
export function requireSlotContent(slotName: string, state: DeviceState, deviceId: number): void {
  const fields: unknown = state.fields;
  const saved = typeof fields === 'object' && fields !== null && 'deviceId' in fields ? fields.deviceId : 0;
  if (saved === deviceId) return;
  const there = NAMES.get(saved) ?? 'something unknown';
  throw new MachineError(
    'snapshot.other-machine',
    `${slotName}: the saved state has ${there} there, this machine ${NAMES.get(deviceId) ?? 'another device'}`,
  );
}
