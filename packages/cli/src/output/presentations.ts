/** How each kind of object looks in a table. */
import type { ClusterEvent, HostView, OperationView, VmView } from '@skein/shared';
import { formatDuration, formatTime } from './duration.ts';
import type { Presentation } from './format.ts';

const digestShown = 12;

export const hostPresentation: Presentation<HostView> = {
  kind: 'host',
  nameOf: (host) => host.name,
  columns: [
    { header: 'NAME', value: (host) => host.name },
    { header: 'STATE', value: (host) => `${host.state}${host.isInMaintenance ? ', maintenance' : ''}` },
    { header: 'VMS', value: (host) => host.vms, alignsRight: true },
    {
      header: 'MHZ',
      value: (host) => `${Math.round(host.usedMhz)}/${host.capacity.cpuMhz}`,
      alignsRight: true,
      isGauge: true,
    },
    { header: 'MIB', value: (host) => `${host.usedMemoryMib}/${host.capacity.memoryMib}`, alignsRight: true },
    { header: 'PID', value: (host) => host.pid, alignsRight: true },
    {
      header: 'ADDRESSES',
      value: (host) =>
        Object.entries(host.addresses)
          .map(([kind, address]) => `${kind}=${address}`)
          .join(','),
      isWide: true,
    },
    { header: 'REASON', value: (host) => host.reason ?? lostPeersOf(host) },
  ],
};

/** `has lost h2 (migration, guest-a), h3 (migration)`; null where a host has lost nobody. */
function lostPeersOf({ lostPeers }: HostView): string | null {
  if (lostPeers.length === 0) return null;
  const byHost = Map.groupBy(lostPeers, ({ host }) => host);
  const peers = [...byHost].map(
    ([host, lost]) => `${host} (${lost.map(({ network }) => network).join(', ')})`,
  );
  return `has lost ${peers.join(', ')}`;
}

export const vmPresentation: Presentation<VmView> = {
  kind: 'vm',
  nameOf: (vm) => vm.name,
  columns: [
    { header: 'NAME', value: (vm) => vm.name },
    { header: 'STATE', value: (vm) => vm.state },
    { header: 'HOST', value: (vm) => vm.host },
    { header: 'MIB', value: (vm) => vm.spec.machine.memoryMib, alignsRight: true },
    { header: 'MHZ', value: (vm) => Math.round(vm.usedMhz), alignsRight: true, isGauge: true },
    {
      header: 'ADDRESS',
      value: (vm) => vm.spec.machine.nics.map((nic) => nic.address ?? nic.mac).join(','),
    },
    {
      header: 'READY',
      value: (vm) => (vm.readyMs === null ? null : formatDuration(vm.readyMs)),
      alignsRight: true,
    },
    { header: 'ID', value: (vm) => vm.id, isWide: true },
    { header: 'EPOCH', value: (vm) => vm.epoch, isWide: true, alignsRight: true },
    { header: 'KERNEL', value: (vm) => vm.kernel, isWide: true },
    { header: 'IMAGE', value: (vm) => vm.spec.machine.image.slice(0, digestShown), isWide: true },
    { header: 'MAC', value: (vm) => vm.spec.machine.nics.map(({ mac }) => mac).join(','), isWide: true },
    { header: 'OPERATION', value: (vm) => vm.operation, isWide: true },
    { header: 'REASON', value: (vm) => vm.reason },
  ],
};

export const operationPresentation: Presentation<OperationView> = {
  kind: 'operation',
  nameOf: (operation) => operation.id,
  columns: [
    { header: 'ID', value: (operation) => operation.id },
    { header: 'KIND', value: (operation) => operation.kind },
    { header: 'STATE', value: (operation) => operation.state },
    { header: 'VM', value: (operation) => operation.vmName },
    { header: 'HOST', value: (operation) => operation.host },
    { header: 'TARGET', value: (operation) => operation.targetHost },
    { header: 'CREATED', value: (operation) => formatTime(operation.createdAtMs) },
    {
      header: 'TOOK',
      value: ({ createdAtMs, endedAtMs }) =>
        endedAtMs === null ? null : formatDuration(endedAtMs - createdAtMs),
      alignsRight: true,
    },
    {
      header: 'REASON',
      value: ({ problem, waiting, reason }) =>
        problem?.message ?? (waiting === null ? reason : `waiting: ${waiting}`),
    },
  ],
};

export const eventPresentation: Presentation<ClusterEvent> = {
  kind: 'event',
  nameOf: (event) => String(event.sequence),
  columns: [
    { header: 'SEQUENCE', value: (event) => event.sequence, alignsRight: true },
    { header: 'TIME', value: (event) => formatTime(event.atMs) },
    { header: 'TYPE', value: (event) => event.type },
    { header: 'SUBJECT', value: (event) => event.subject },
    { header: 'MESSAGE', value: (event) => event.message },
    { header: 'DETAILS', value: (event) => JSON.stringify(event.details), isWide: true },
  ],
};
