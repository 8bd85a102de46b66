/** Inventories for tests, written as what differs from a well cluster of hosts with nothing on them. */
import { type MachineSpec, migrationLimitsDefaults, type VmReport, VmSpec } from '@skein/shared';
import type {
  DesiredInventory,
  HostInventory,
  Inventory,
  LeaseSight,
  Sighting,
  VmInventory,
} from '../inventory.ts';

export const nowMs = 1_000_000;

export function host(name: string, more: Partial<HostInventory> = {}): HostInventory {
  return {
    name,
    state: 'connected',
    reason: null,
    startedAtMs: null,
    heardAtMs: null,
    isReachable: true,
    isInMaintenance: false,
    machineVersion: 1,
    capacity: { cpuMhz: 1000, memoryMib: 1024 },
    addresses: { management: '127.0.0.1', migration: '127.0.0.2', 'guest-a': '127.0.0.3' },
    hasTunnel: true,
    usedMemoryMib: 0,
    statusAtMs: nowMs,
    ...more,
  };
}

export interface VmShape {
  readonly memoryMib?: number;
  readonly reservationMhz?: number;
  readonly power?: 'on' | 'off';
  readonly restartPriority?: number;
  readonly segments?: readonly string[];
}

/** The id is made of the name, so that a VM is the same one in every test. */
export function vmId(name: string): string {
  return `vm-${[...name]
    .map((letter) => (letter.codePointAt(0) ?? 0).toString(16))
    .join('')
    .padStart(16, '0')
    .slice(-16)}`;
}

export function spec(name: string, shape: VmShape = {}): VmSpec {
  const nics: MachineSpec['nics'] = (shape.segments ?? []).map((segment, index) => ({
    mac: `52:54:00:00:00:0${index}`,
    segment,
  }));
  return VmSpec.parse({
    id: vmId(name),
    name,
    machine: {
      memoryMib: shape.memoryMib ?? 128,
      image: '0'.repeat(64),
      nics,
      cpu: { reservationMhz: shape.reservationMhz ?? 0 },
    },
    power: shape.power ?? 'on',
    restartPriority: shape.restartPriority ?? 3,
  });
}

export function vm(
  name: string,
  more: Partial<Omit<VmInventory, 'spec' | 'desired'>> & {
    readonly shape?: VmShape;
    readonly desired?: Partial<DesiredInventory>;
  } = {},
): VmInventory {
  const { shape, desired, ...rest } = more;
  return {
    spec: spec(name, shape),
    desired: { host: null, epoch: 0, halt: null, waitingReason: null, decidedAtMs: 0, ...desired },
    sightings: [],
    operation: null,
    refusals: [],
    restarts: 0,
    notBeforeMs: 0,
    ...rest,
  };
}

export function sighting(hostName: string, name: string, more: Partial<VmReport> = {}): Sighting {
  return {
    host: hostName,
    report: {
      vm: vmId(name),
      name,
      epoch: 1,
      state: 'running',
      reason: null,
      steps: 1,
      usedMhz: 1,
      firstStepMs: 1,
      readyMs: null,
      startedFrom: null,
      missingPages: 0,
      kernel: null,
      ...more,
    },
  };
}

/** A VM that runs where it was decided to. */
export function runningVm(name: string, hostName: string, shape: VmShape = {}): VmInventory {
  return vm(name, { shape, desired: { host: hostName, epoch: 1 }, sightings: [sighting(hostName, name)] });
}

export function inventory(
  hosts: readonly HostInventory[],
  vms: readonly VmInventory[],
  more: Partial<Inventory> = {},
): Inventory {
  return {
    nowMs,
    hosts,
    vms,
    segments: [{ name: 'lan', vni: 100, network: 'guest-a' }],
    pairs: [],
    migrations: [],
    migrationLimits: migrationLimitsDefaults,
    strangers: [],
    ...more,
  };
}

export function leaseSight(
  owner: string | null,
  remainingMs: number,
  readAtMs: number,
  grewAfterMs: number | null = null,
): LeaseSight {
  return {
    lease: { vm: vmId('web1'), owner, epoch: 1, counter: 1, remainingMs },
    readAtMs,
    grewAfterMs,
  };
}
