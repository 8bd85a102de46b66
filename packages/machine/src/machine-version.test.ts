import { expect, it } from 'vitest';
import { createMachineMemory, loadCore } from './core-module.ts';
import { createDevices } from './devices/create-devices.ts';
import { Machine } from './machine.ts';
import { machineVersion } from './machine-version.ts';
import { decodeSections } from './state-codec.ts';

/** What each version saves: whoever changes one of them begins a new version, and a line here. */
const sectionsOfVersion: Readonly<Record<number, Readonly<Record<string, number>>>> = {
  1: {
    machine: 1,
    cpu: 2,
    rtc: 1,
    uart: 1,
    'sifive-test': 1,
    'virtio-slot-0': 1,
    'virtio-slot-1': 1,
    'virtio-slot-2': 1,
    'virtio-slot-3': 1,
    'virtio-slot-4': 1,
    'virtio-slot-5': 1,
    'virtio-slot-6': 1,
    'virtio-slot-7': 1,
  },
};

it('the version of the machine says which sections a saved state has, and in which versions', async () => {
  const core = await loadCore();
  const machine = new Machine({
    core,
    memory: createMachineMemory(core, 64),
    memoryMib: 64,
    devices: createDevices({
      nics: [{ mac: '52:54:00:00:00:01' }],
      disks: [],
      rngSeed: new Uint8Array(32),
      hasIdentityPort: true,
      hasBalloon: true,
    }),
    emit: () => {},
  });
  const sections = [...decodeSections(machine.saveState())].map(([name, { version }]) => [name, version]);
  expect(Object.fromEntries(sections)).toEqual(sectionsOfVersion[machineVersion]);
});
