import { createDevices, VIRTIO_SLOTS } from '@skein/machine';
import { describe, expect, it } from 'vitest';
import { vmDevices } from './vm-board.ts';

const board = (count: number) =>
  vmDevices({
    nics: Array.from({ length: count }, (_, index) => ({ mac: `52:54:00:00:00:0${index}` })),
    rngSeed: new Uint8Array(32),
    rtcEpochSeconds: 0,
  });

describe('the board of a VM', () => {
  it('has all devices beside five vNICs, and gives up one after the other for more', () => {
    const has = Array.from({ length: VIRTIO_SLOTS + 1 }, (_, count) => {
      const { hasIdentityPort, rngSeed, hasBalloon } = board(count);
      return [hasIdentityPort, rngSeed !== undefined, hasBalloon];
    });
    expect(has.slice(0, 6)).toEqual(new Array(6).fill([true, true, true]));
    expect(has.slice(6)).toEqual([
      [true, true, false],
      [true, false, false],
      [false, false, false],
    ]);
  });

  it('is possible with as many vNICs as a VM may have', () => {
    for (let count = 0; count <= VIRTIO_SLOTS; count++)
      expect(() => createDevices(board(count))).not.toThrow();
  });
});
