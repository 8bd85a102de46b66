import type { Device, DeviceState } from './device.ts';

/** Devices refuse before they change anything; those already restored are put back if a later one refuses. */
export function restoreDevices(devices: readonly Device[], sections: ReadonlyMap<string, DeviceState>): void {
  const done: (() => void)[] = [];
  try {
    for (const device of devices) {
      const section = sections.get(device.name);
      if (section === undefined) continue;
      const before = device.save();
      device.restore(section);
      done.push(() => device.restore(before));
    }
  } catch (error) {
    for (const undo of done.reverse()) undo();
    throw error;
  }
}
