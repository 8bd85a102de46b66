/** `skein describe host|vm|operation NAME`: one object with its history. */
import type { ClusterEvent, HostView, OperationView, VmView } from '@skein/shared';
import type { Command } from 'commander';
import { stringify } from 'yaml';
import { selectOne } from '../client/selection.ts';
import { formatDuration, formatTime } from '../output/duration.ts';
import { formatOne } from '../output/format.ts';
import { formatMigration, formatMigrationProgress, observedLines } from '../output/migration-report.ts';
import { hostPresentation, operationPresentation, vmPresentation } from '../output/presentations.ts';
import { clientOf, formatOf } from './shared-options.ts';

const historyMax = 10;

export function addDescribeCommand(program: Command): void {
  const describe = program.command('describe').description('show one host, VM or operation with its history');
  describe
    .command('host <name>')
    .description('what it has, whom it has lost, its VMs and events')
    .action(describeHost);
  describe
    .command('vm <name>')
    .description('its specification, where it runs, its operations and events')
    .action(describeVm);
  describe
    .command('operation <id>')
    .description("its timeline and, of a migration, the record's figures")
    .action(describeOperation);
}

async function describeHost(name: string, _options: unknown, command: Command): Promise<void> {
  const format = formatOf(command);
  const client = await clientOf(command);
  const host = selectOne(
    { kind: 'host', nameOf: hostPresentation.nameOf, items: await client.hosts() },
    name,
  );
  if (format !== 'table' && format !== 'wide') {
    process.stdout.write(formatOne(hostPresentation, host, format));
    return;
  }
  const [vms, events] = await Promise.all([client.vms(), client.allEvents()]);
  const isAbout = (event: ClusterEvent): boolean =>
    event.subject === `host/${host.name}` || event.details.peer === host.name;
  process.stdout.write(
    [
      fields(hostFields(host)),
      section(
        'addresses',
        Object.entries(host.addresses)
          .map(([kind, address]) => `${kind}: ${address}`)
          .join('\n'),
      ),
      section('hosts that it has lost', lostPeerLines(host)),
      section(
        'VMs',
        vms
          .filter((vm) => vm.host === host.name)
          .map((vm) => `${vm.name} ${vm.state}`)
          .join('\n'),
      ),
      section('events', eventLines(events.filter(isAbout))),
    ].join(''),
  );
}

async function describeVm(name: string, _options: unknown, command: Command): Promise<void> {
  const format = formatOf(command);
  const client = await clientOf(command);
  const vm = selectOne({ kind: 'vm', nameOf: vmPresentation.nameOf, items: await client.vms() }, name);
  if (format !== 'table' && format !== 'wide') {
    process.stdout.write(formatOne(vmPresentation, vm, format));
    return;
  }
  const [operations, events] = await Promise.all([client.operations(), client.allEvents()]);
  process.stdout.write(
    [
      fields(vmFields(vm)),
      section('specification', stringify(vm.spec.machine)),
      section('operations', operationLines(operations.filter((operation) => operation.vm === vm.id))),
      section('events', eventLines(events.filter((event) => event.subject === `vm/${vm.name}`))),
    ].join(''),
  );
}

async function describeOperation(id: string, _options: unknown, command: Command): Promise<void> {
  const format = formatOf(command);
  const client = await clientOf(command);
  const operation = selectOne(
    { kind: 'operation', nameOf: operationPresentation.nameOf, items: await client.operations() },
    id,
  );
  if (format !== 'table' && format !== 'wide') {
    process.stdout.write(formatOne(operationPresentation, operation, format));
    return;
  }
  const { migration: record, observation } = operation;
  const migration =
    record === null
      ? section('observed', observedLines(observation).join('\n'))
      : section('migration', formatMigration(record, observation));
  const progress =
    operation.progress === null ? '' : section('progress', formatMigrationProgress(operation.progress));
  process.stdout.write(
    [
      fields(operationFields(operation)),
      section('timeline', formatTimeline(operation)),
      progress,
      migration,
    ].join(''),
  );
}

function hostFields(host: HostView): readonly (readonly [string, string | number | null])[] {
  return [
    ['name', host.name],
    ['state', host.state],
    ['reason', host.reason],
    ['maintenance', host.isInMaintenance ? 'on: nothing new comes here' : 'off'],
    ['machine version', host.machineVersion],
    ['process', host.pid],
    ['CPU', `${host.usedMhz.toFixed(1)} of ${host.capacity.cpuMhz} MHz`],
    ['memory', `${host.usedMemoryMib} of ${host.capacity.memoryMib} MiB`],
  ];
}

function lostPeerLines({ lostPeers }: HostView): string {
  return lostPeers
    .map(
      ({ host, network, reason, sinceMs }) => `${host} on ${network} since ${formatTime(sinceMs)}: ${reason}`,
    )
    .join('\n');
}

function vmFields(vm: VmView): readonly (readonly [string, string | number | null])[] {
  return [
    ['name', vm.name],
    ['id', vm.id],
    ['state', vm.state],
    ['reason', vm.reason],
    ['host', vm.host],
    ['epoch', vm.epoch],
    ['kernel', vm.kernel],
    ['started from', vm.startedFrom],
    ['first step after', vm.firstStepMs === null ? null : formatDuration(vm.firstStepMs)],
    ['ready after', vm.readyMs === null ? null : formatDuration(vm.readyMs)],
    ['CPU', `${vm.usedMhz.toFixed(1)} MHz`],
    ['operation', vm.operation],
  ];
}

function operationFields(operation: OperationView): readonly (readonly [string, string | number | null])[] {
  return [
    ['id', operation.id],
    ['kind', operation.kind],
    ['state', operation.state],
    ['vm', operation.vmName],
    ['host', operation.host],
    ['target', operation.targetHost],
    ['reason', operation.reason],
    ['waiting', operation.waiting],
    [
      'problem',
      operation.problem === null ? null : `${operation.problem.message} (${operation.problem.code})`,
    ],
  ];
}

/** Steps with the time since the first of them. */
export function formatTimeline(operation: Pick<OperationView, 'createdAtMs' | 'timeline'>): string {
  const startMs = Math.min(operation.createdAtMs, ...operation.timeline.map(({ atMs }) => atMs));
  const nameWidth = Math.max(0, ...operation.timeline.map(({ name }) => name.length));
  return operation.timeline
    .map(({ name, atMs, detail }) => {
      const since = `+${Math.round(atMs - startMs)} ms`.padStart(12);
      return `${since}  ${name.padEnd(nameWidth)}  ${detail}`.trimEnd();
    })
    .join('\n');
}

function operationLines(operations: readonly OperationView[]): string {
  return operations
    .slice(0, historyMax)
    .map(
      ({ id, kind, state, createdAtMs, reason }) =>
        `${formatTime(createdAtMs)}  ${id}  ${kind} ${state}: ${reason}`,
    )
    .join('\n');
}

function eventLines(events: readonly ClusterEvent[]): string {
  return events
    .slice(-historyMax)
    .map(({ atMs, type, message }) => `${formatTime(atMs)}  ${type}: ${message}`)
    .join('\n');
}

function fields(entries: readonly (readonly [string, string | number | null])[]): string {
  const width = Math.max(...entries.map(([name]) => name.length)) + 1;
  return entries.map(([name, value]) => `${`${name}:`.padEnd(width)} ${value ?? '-'}\n`).join('');
}

function section(title: string, text: string): string {
  const body = text.trimEnd();
  if (body === '') return '';
  const indented = body.split('\n').map((line) => `  ${line}`);
  return `\n${title}:\n${indented.join('\n')}\n`;
}
