/**
 * What people may ask for, as synchronous changes of the inventory: all checks first, then everything in one
 * transaction, so that nothing is half-done. The work itself is an operation's.
 */
import {
  type ChangeReply,
  type ContentDigest,
  type CreateVmRequest,
  type HostName,
  type MigrateVmRequest,
  OperationError,
  type StartVmRequest,
  type VmSpec,
} from '@skein/shared';
import { failpoint } from '@skein/transport';
import type { Environment } from '../env.ts';
import type { GuestImages } from '../guest-images.ts';
import type { Executor } from '../operations/executor.ts';
import { liveCopy } from '../operations/operation.ts';
import { bootArguments } from '../policy/boot-arguments.ts';
import type { Inventory, Sighting, VmInventory } from '../policy/inventory.ts';
import { lossBetween } from '../policy/pairs.ts';
import { explain, type Placement, place } from '../policy/placement.ts';
import type { World } from '../world.ts';
import { vmView } from './views.ts';

export class Commands {
  readonly #world: World;
  readonly #executor: Executor;
  readonly #env: Environment;
  readonly #images: GuestImages;

  constructor(world: World, executor: Executor, env: Environment, images: GuestImages) {
    this.#world = world;
    this.#executor = executor;
    this.#env = env;
    this.#images = images;
  }

  /**
   * @throws OperationError name.taken, vm.address-taken, request.invalid, image.not-found, host.not-found,
   * host.in-maintenance, placement.no-host
   */
  create(request: CreateVmRequest): ChangeReply {
    const { store, segments } = this.#world;
    const { name, memoryMib, cpu, restartPriority } = request;
    if (store.vms.byName(name) !== undefined) {
      throw new OperationError({ code: 'name.taken', message: `there is a VM ${name} already` });
    }
    const known = new Set(segments.map((segment) => segment.name));
    const unknown = request.nics.filter(({ segment }) => !known.has(segment)).map(({ segment }) => segment);
    if (unknown.length > 0) {
      const message = `there is no segment ${unknown.join(', ')}; segments: ${[...known].join(', ') || 'none'}`;
      throw new OperationError({ code: 'request.invalid', message });
    }
    this.#refuseTakenAddresses(request);
    const image = this.#images.resolve(request.image);
    this.#refuseTooSmall(request, image);
    const macs = this.#freshMacs(request.nics.length);
    const nics = request.nics.map((nic, index) => ({ mac: macs[index] ?? '', ...nic }));
    const spec: VmSpec = {
      id: `vm-${this.#env.randomHex(8)}`,
      name,
      machine: {
        memoryMib,
        image,
        nics,
        bootArguments: bootArguments({ name, nics, extra: request.bootArguments }),
        cpu,
      },
      power: 'off',
      restartPriority,
    };
    const inventory = withVm(this.#world.inventory(), spec);
    const placement = request.start ? this.#place(inventory, spec, request.host ?? null, null) : null;
    return this.#world.atomically(() => {
      store.vms.put(spec);
      this.#world.event('vm.created', `vm/${name}`, `${name} was created`, { id: spec.id });
      return this.#reply(
        spec.id,
        placement === null ? null : this.#start(spec, placement, request.host ?? null),
      );
    });
  }

  /** @throws OperationError vm.not-found, vm.wrong-state, vm.busy, host.not-found, host.in-maintenance, placement.no-host */
  start(name: string, request: StartVmRequest): ChangeReply {
    const spec = this.#world.vm(name);
    this.#executor.yieldFor(spec.id);
    const inventory = this.#world.inventory();
    const vm = vmIn(inventory, spec);
    const copy = liveCopy({ vm, inventory });
    if (copy !== null && spec.power === 'on') {
      if (request.host === undefined || request.host === copy.host) return this.#reply(spec.id, null);
      throw wrongState(`${name} runs on ${copy.host} already: migrate it to move it`);
    }
    this.#refuseBusy(vm);
    const placement = this.#place(inventory, spec, request.host ?? null, null);
    this.#world.forgive(spec.id);
    return this.#world.atomically(() =>
      this.#reply(spec.id, this.#start(spec, placement, request.host ?? null)),
    );
  }

  /** Also takes back a restart that waits or is at work. @throws OperationError vm.not-found, vm.busy */
  stop(name: string): ChangeReply {
    const spec = this.#world.vm(name);
    this.#executor.yieldFor(spec.id);
    const inventory = this.#world.inventory();
    const vm = vmIn(inventory, spec);
    this.#refuseBusy(vm);
    const isNowhere = vm.desired.host === null && liveCopy({ vm, inventory }) === null;
    return this.#world.atomically(() => {
      this.#world.store.vms.put({ ...spec, power: 'off' });
      this.#world.decide(spec.id, { waitingReason: null });
      if (isNowhere) return this.#reply(spec.id, null);
      const { id } = this.#executor.create({
        kind: 'vm-stop',
        vm: spec.id,
        reason: 'asked for',
        record: { host: vm.desired.host },
      });
      return this.#reply(spec.id, id);
    });
  }

  /** @throws OperationError vm.not-found, vm.wrong-state, vm.busy */
  delete(name: string): ChangeReply {
    const spec = this.#world.vm(name);
    this.#executor.yieldFor(spec.id);
    const inventory = this.#world.inventory();
    const vm = vmIn(inventory, spec);
    this.#refuseBusy(vm);
    if (spec.power === 'on' || liveCopy({ vm, inventory }) !== null) {
      throw wrongState(`${name} is on: stop it before it is deleted`);
    }
    return this.#world.atomically(() => {
      const { id } = this.#executor.create({ kind: 'vm-delete', vm: spec.id, reason: 'asked for' });
      return this.#reply(spec.id, id);
    });
  }

  /**
   * @throws OperationError vm.not-found, vm.wrong-state, vm.busy, host.not-found, host.in-maintenance,
   * migration.same-host, migration.machine-version, migration.no-network, migration.partitioned, placement.no-host
   */
  migrate(name: string, request: MigrateVmRequest): ChangeReply {
    const { host: wanted, ...settings } = request;
    const spec = this.#world.vm(name);
    this.#executor.yieldFor(spec.id);
    const inventory = this.#world.inventory();
    const vm = vmIn(inventory, spec);
    this.#refuseBusy(vm);
    const copy = liveCopy({ vm, inventory });
    if (copy === null || copy.report.state !== 'running') {
      throw wrongState(`${name} is ${copy?.report.state ?? 'not running'}: only a running VM migrates`);
    }
    this.#refuseIncomplete(name, copy);
    const from = copy.host;
    if (wanted === from) {
      throw new OperationError({ code: 'migration.same-host', message: `${name} runs on ${from} already` });
    }
    this.#refuseApart(inventory, from, wanted ?? null);
    const placement = this.#place(inventory, spec, wanted ?? null, from);
    failpoint('migration.intent.before');
    const reply = this.#world.atomically(() => {
      const { id } = this.#executor.create({
        kind: 'vm-migrate',
        vm: spec.id,
        reason: 'asked for',
        record: {
          host: from,
          targetHost: placement.host,
          isPinned: wanted !== undefined,
          expectEpoch: copy.report.epoch,
          settings,
        },
        notes: [{ name: 'intent', detail: `from ${from} to ${placement.host}: ${placement.reason}` }],
      });
      return this.#reply(spec.id, id);
    });
    failpoint('migration.intent.after');
    return reply;
  }

  /** After a post-copy migration: what it does not have yet it cannot send. */
  #refuseIncomplete(name: string, { host, report: { missingPages } }: Sighting): void {
    if (missingPages === 0) return;
    const message = `${missingPages} pages of ${name} have not arrived on ${host} yet: wait until it is whole there`;
    throw new OperationError({ code: 'vm.busy', message, details: { missingPages } });
  }

  /** Pages go from host to host: both must be on the migration network, and hear each other there. */
  #refuseApart(inventory: Inventory, from: HostName, to: HostName | null): void {
    if (to !== null) this.#refuseOtherMachine(from, to);
    for (const host of to === null ? [from] : [from, to]) {
      if (this.#world.host(host).identity.addresses.migration !== undefined) continue;
      const message = `${host} has no address on the migration network: its link is down, or it was never connected to it`;
      throw new OperationError({ code: 'migration.no-network', message, details: { host } });
    }
    const loss = to === null ? null : lossBetween(inventory.pairs, from, to, 'migration');
    if (loss === null) return;
    throw new OperationError({
      code: 'migration.partitioned',
      message: `${from} and ${to} have lost each other on the migration network (${loss.reason}): choose another host, or wait until they hear each other again`,
      details: { hosts: [...loss.hosts], network: loss.network },
    });
  }

  /** What one build saved another one cannot take over. */
  #refuseOtherMachine(from: HostName, to: HostName): void {
    const [ours, theirs] = [from, to].map((host) => this.#world.host(host).identity.machineVersion);
    if (ours === theirs) return;
    throw new OperationError({
      code: 'migration.machine-version',
      message: `${to} has machine version ${theirs}, ${from} has ${ours}: update the older one, or choose another host`,
      details: { from: ours, to: theirs },
    });
  }

  /** Two guests with one address on one segment would take each other's frames. */
  #refuseTakenAddresses({ nics }: CreateVmRequest): void {
    for (const { segment, address } of nics) {
      const host = address?.split('/')[0];
      if (host === undefined) continue;
      for (const { name, machine } of this.#world.store.vms.all()) {
        const isTaken = machine.nics.some(
          (nic) => nic.segment === segment && nic.address?.split('/')[0] === host,
        );
        if (!isTaken) continue;
        const message = `${name} has the address ${host} on ${segment} already: choose another one`;
        throw new OperationError({ code: 'vm.address-taken', message, details: { vm: name, address: host } });
      }
    }
  }

  /** What fails in the guest's kernel half a second later, without a word that a person sees, is refused here. */
  #refuseTooSmall({ name, memoryMib }: CreateVmRequest, image: ContentDigest): void {
    const memoryMibMin = this.#images.memoryMibMin(image);
    if (memoryMibMin === null || memoryMib >= memoryMibMin) return;
    const message = `${name} does not boot in ${memoryMib} MiB: its image needs at least ${memoryMibMin}`;
    throw new OperationError({ code: 'request.invalid', message, details: { memoryMib, memoryMibMin } });
  }

  #start(spec: VmSpec, placement: Extract<Placement, { kind: 'placed' }>, wanted: HostName | null): string {
    this.#world.store.vms.put({ ...spec, power: 'on' });
    const { id } = this.#executor.create({
      kind: 'vm-start',
      vm: spec.id,
      reason: 'asked for',
      record: { host: placement.host, isPinned: wanted !== null },
      notes: [{ name: 'placed', detail: placement.reason }],
    });
    this.#world.decide(spec.id, { host: placement.host, halt: null, waitingReason: null });
    return id;
  }

  #place(inventory: Inventory, spec: VmSpec, wanted: HostName | null, leaves: HostName | null) {
    if (wanted !== null) this.#refuseMaintenance(wanted);
    const wish = { spec, leaves, refusals: [], ...(wanted === null ? {} : { pinned: wanted }) };
    const placement = place(inventory, wish);
    if (placement.kind === 'placed') return placement;
    throw new OperationError({
      code: 'placement.no-host',
      message: explain(spec.name, placement.reasons),
      details: { reasons: placement.reasons },
    });
  }

  #refuseMaintenance(wanted: HostName): void {
    const { name } = this.#world.host(wanted).identity;
    if (!this.#world.store.hosts.isInMaintenance(name)) return;
    throw new OperationError({
      code: 'host.in-maintenance',
      message: `${name} is in maintenance: choose another host, or end it with \`skein host maintenance ${name} off\``,
      details: { host: name },
    });
  }

  #reply(id: string, operation: string | null): ChangeReply {
    const inventory = this.#world.inventory();
    const spec = this.#world.vm(id);
    return { vm: vmView(vmIn(inventory, spec), inventory), operation };
  }

  #refuseBusy({ spec, operation }: VmInventory): void {
    if (operation === null) return;
    throw new OperationError({
      code: 'vm.busy',
      message: `${spec.name} is busy with ${operation.kind} ${operation.id}: wait for its end${operation.kind === 'vm-migrate' ? ', or cancel it' : ''}`,
      details: { operation: operation.id, kind: operation.kind },
    });
  }

  /** Locally administered, QEMU's prefix, unique in the cluster. */
  #freshMacs(count: number): string[] {
    const macs = new Set<string>();
    while (macs.size < count) {
      const tail = this.#env.randomHex(3).match(/../g)?.join(':') ?? '';
      const mac = `52:54:00:${tail}`;
      if (!this.#world.store.vms.hasMac(mac)) macs.add(mac);
    }
    return [...macs];
  }
}

function vmIn(inventory: Inventory, spec: VmSpec): VmInventory {
  const vm = inventory.vms.find((candidate) => candidate.spec.id === spec.id);
  if (vm !== undefined) return vm;
  throw new OperationError({ code: 'vm.not-found', message: `there is no VM ${spec.name}` });
}

/** The inventory as it would be with a VM that does not exist yet. */
function withVm(inventory: Inventory, spec: VmSpec): Inventory {
  const vm: VmInventory = {
    spec,
    desired: { host: null, epoch: 0, halt: null, waitingReason: null, decidedAtMs: inventory.nowMs },
    sightings: [],
    operation: null,
    refusals: [],
    restarts: 0,
    notBeforeMs: 0,
  };
  return { ...inventory, vms: [...inventory.vms, vm] };
}

function wrongState(message: string): OperationError {
  return new OperationError({ code: 'vm.wrong-state', message });
}
