import { describe, expect, it } from 'vitest';
import type { VmInventory } from './inventory.ts';
import { wantedTemplates } from './templates.ts';

const image = 'a'.repeat(64);

function vm(memoryMib: number, bootArguments: string, power: 'on' | 'off' = 'on'): VmInventory {
  return { spec: { power, machine: { image, memoryMib, bootArguments } } } as VmInventory;
}

describe('the templates that are wanted', () => {
  it('are one for all guests that differ only in who they are, most used first', () => {
    const vms = [
      vm(256, 'skein.hostname=a quiet'),
      vm(128, 'skein.hostname=b'),
      vm(128, 'skein.hostname=c skein.ip=10.0.0.3/24'),
    ];
    expect(wantedTemplates(vms)).toEqual([
      { image, memoryMib: 128, kernelArguments: '' },
      { image, memoryMib: 256, kernelArguments: 'quiet' },
    ]);
  });

  it('are none of guests that are off, and no more than a host is asked for', () => {
    expect(wantedTemplates([vm(128, '', 'off')])).toEqual([]);
    expect(wantedTemplates(Array.from({ length: 100 }, (_, index) => vm(64 + index, '')))).toHaveLength(16);
  });
});
