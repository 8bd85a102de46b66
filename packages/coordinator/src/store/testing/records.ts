/** Rows for the store's tests. */
import { VmSpec } from '@skein/shared';
import { OperationRecord } from '../../operations/record.ts';

const hex = (index: number): string => index.toString(16).padStart(16, '0');

export function someVm(index: number): VmSpec {
  return VmSpec.parse({
    id: `vm-${hex(index)}`,
    name: `web${index}`,
    machine: {
      memoryMib: 128,
      image: '0'.repeat(64),
      nics: [{ mac: `52:54:00:00:00:${hex(index).slice(-2)}`, segment: 'lan' }],
    },
    power: 'on',
  });
}

export function someOperation(
  index: number,
  vm: VmSpec,
  more: Partial<OperationRecord> = {},
): OperationRecord {
  return OperationRecord.parse({
    id: `op-${hex(index)}`,
    kind: 'vm-start',
    state: 'running',
    vm: vm.id,
    vmName: vm.name,
    host: null,
    targetHost: 'h1',
    reason: 'a test',
    createdAtMs: index,
    endedAtMs: null,
    timeline: [],
    problem: null,
    migration: null,
    step: 'start',
    isPinned: false,
    expectEpoch: 0,
    epoch: null,
    attempts: 0,
    settings: null,
    source: null,
    ended: { source: null, target: null },
    cancelProblem: null,
    formerHost: null,
    ...more,
  });
}
