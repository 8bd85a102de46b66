import { describe, expect, it } from 'vitest';
import { BenchEnvironment } from '../test-support/bench-environment.ts';
import { SifiveTest } from './sifive-test.ts';

describe('the power switch', () => {
  it.each([
    [0x5555, 'off', 0],
    [0x7777, 'reboot', 0],
    [0x0007_3333, 'fail', 7],
    [0xffff_3333, 'fail', 65_535],
  ])('turns 0x%x into power %s with exit code %i, and ends the slice', (value, action, exitCode) => {
    const environment = new BenchEnvironment();
    const device = new SifiveTest(environment);
    expect(device.write(0, 4, value)).toBe(true);
    expect(environment.outputs).toEqual([{ type: 'power', action, exitCode }]);
    expect(environment.isProcessingAsked).toBe(true);
  });

  it('ignores other words and other registers, and faults on bytes', () => {
    const environment = new BenchEnvironment();
    const device = new SifiveTest(environment);
    expect(device.write(0, 4, 0x1234)).toBe(true);
    expect(device.write(4, 4, 0x5555)).toBe(true);
    expect(device.write(0, 1, 0x55)).toBe(false);
    expect(device.read(0, 4)).toBe(0);
    expect(device.read(0, 1)).toBeUndefined();
    expect(environment.outputs).toEqual([]);
  });
});
