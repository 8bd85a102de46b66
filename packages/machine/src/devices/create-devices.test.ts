import { describe, expect, it } from 'vitest';
import { createDevices } from './create-devices.ts';
import { BenchEnvironment } from './test-support/bench-environment.ts';

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
});
