import { describe, expect, test } from 'vitest';
import { chooseKernelPackages } from './package.ts';

describe('chooseKernelPackages', () => {
  test.each<[string, readonly string[], readonly string[] | undefined]>([
    ['the one package of Debian 13', ['linux-image-6.12.48-riscv64'], ['linux-image-6.12.48-riscv64']],
    [
      'the two packages of later suites, without the empty third',
      ['linux-image-7.2-riscv64', 'linux-binary-7.2-riscv64', 'linux-modules-7.2-riscv64'],
      ['linux-binary-7.2-riscv64', 'linux-modules-7.2-riscv64'],
    ],
    [
      'the newest of several, by number and not by letters',
      ['linux-image-6.9.2-riscv64', 'linux-image-6.12.1-riscv64'],
      ['linux-image-6.12.1-riscv64'],
    ],
    [
      'the newest complete one',
      ['linux-binary-7.3-riscv64', 'linux-binary-7.2-riscv64', 'linux-modules-7.2-riscv64'],
      ['linux-binary-7.2-riscv64', 'linux-modules-7.2-riscv64'],
    ],
    ['nothing when there is no kernel', ['linux-modules-7.2-riscv64'], undefined],
  ])('takes %s', (_what, available, expected) => {
    expect(chooseKernelPackages(new Set(available))).toEqual(expected);
  });
});
