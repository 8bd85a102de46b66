import { describe, expect, it } from 'vitest';
import { createDevices } from './create-devices.ts';
import { BenchEnvironment } from './test-support/bench-environment.ts';
import { MemoryDisk } from './test-support/memory-disk.ts';
import { REGISTER } from './virtio-mmio/registers.ts';

const MACS = ['52:54:00:00:00:01', '52:54:00:00:00:02'];

describe('the board', () => {
  it('has its devices at the addresses and lines of QEMU virt, none of them overlapping', () => {
    const lines: number[] = [];
    const board = createDevices({ nics: MACS.map((mac) => ({ mac })) })((source) => {
      lines.push(source);
      return new BenchEnvironment();
    });
    const places = board.devices.map((device) => [device.baseAddress, device.interruptSource]);
    expect(places.slice(0, 3)).toEqual([
      [0x10_0000, 0],
      [0x10_1000, 11],
      [0x1000_0000, 10],
    ]);
    expect(places.slice(3)).toEqual(Array.from({ length: 8 }, (_, i) => [0x1000_1000 + i * 0x1000, 1 + i]));
    expect([...lines].sort((a, b) => a - b)).toEqual([0, 1, 2, 10, 11]);
    expect(new Set(board.devices.map((device) => device.name)).size).toBe(board.devices.length);
    expect(board.nics).toHaveLength(2);
    expect(board.devices.map((device) => device.read(8, 4)).slice(3)).toEqual([1, 1, 0, 0, 0, 0, 0, 0]);
  });

  it('keeps every device as it was through save and restore of a fresh one', () => {
    const factory = createDevices({ nics: MACS.map((mac) => ({ mac })), rtcEpochSeconds: 1000 });
    const first = factory(() => new BenchEnvironment());
    const second = createDevices({ nics: MACS.map((mac) => ({ mac })) })(() => new BenchEnvironment());
    for (const [index, device] of second.devices.entries()) {
      const state = first.devices[index]?.save();
      if (state) device.restore(state);
      expect(device.save()).toEqual(state);
    }
  });

  it('refuses too many vNICs and addresses that no vNIC may have', () => {
    const nine = Array.from({ length: 9 }, (_, i) => ({ mac: `52:54:00:00:00:0${i}` }));
    expect(() => createDevices({ nics: nine })).toThrow(RangeError);
    expect(() => createDevices({ nics: [{ mac: 'ff:ff:ff:ff:ff:ff' }] })).toThrow(RangeError);
    expect(() => createDevices({ nics: [], rtcEpochSeconds: Number.NaN })).toThrow(RangeError);
  });

  it('has vNICs and then disks from the first slot on, and what there is one of from the last', () => {
    const board = createDevices({
      nics: [{ mac: '52:54:00:00:00:01' }],
      disks: [{ backend: new MemoryDisk(512) }, { backend: new MemoryDisk(512) }],
      rngSeed: new Uint8Array(32),
      hasIdentityPort: true,
    })(() => new BenchEnvironment());
    const slots = board.devices.slice(3);
    expect(slots.map((device) => device.read(REGISTER.deviceId, 4))).toEqual([1, 2, 2, 0, 0, 0, 4, 3]);
    expect(board.perVm).toEqual(slots.slice(0, 7));
    expect([board.nics.length, board.disks.length]).toEqual([1, 2]);
    expect(board.rng).toBeDefined();
  });

  it('refuses more devices than slots, seeds of another length, and disks that are none', () => {
    const disk = { backend: new MemoryDisk(512) };
    const disks = Array.from({ length: 8 }, () => disk);
    expect(() => createDevices({ nics: [], disks })).not.toThrow();
    expect(() => createDevices({ nics: [], disks, hasIdentityPort: true })).toThrow(
      /need 9 virtio slots.* has 8/,
    );
    expect(() => createDevices({ nics: [], rngSeed: new Uint8Array(31) })).toThrow(/31 bytes, not 32/);
    expect(() => createDevices({ nics: [], disks: [{ backend: new MemoryDisk(700) }] })).toThrow(/700 bytes/);
    expect(() => createDevices({ nics: [], disks: [{ ...disk, serial: 'x'.repeat(21) }] })).toThrow(/serial/);
  });

  it('says of a state of another board what stands where', () => {
    const with1 = createDevices({ nics: [], rngSeed: new Uint8Array(32) })(() => new BenchEnvironment());
    const without = createDevices({ nics: [] })(() => new BenchEnvironment());
    const [saved, empty] = [with1.devices.at(-1), without.devices.at(-1)];
    if (saved === undefined || empty === undefined) throw new Error('the board has no slots');
    expect(() => empty.restore(saved.save())).toThrow(
      'virtio-slot-7: the saved state has a random generator there, this machine no device',
    );
    expect(() => saved.restore(empty.save())).toThrow(
      'virtio-slot-7: the saved state has no device there, this machine a random generator',
    );
  });
});
