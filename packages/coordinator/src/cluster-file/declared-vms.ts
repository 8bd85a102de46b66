/**
 * Makes what the cluster file declares, once hosts are there to take it: idempotent, VM by VM, again at each start. A VM
 * that exists is left as it is; where it differs from the file an event says so.
 */
import {
  type ClusterFile,
  type ContentDigest,
  type DeclaredVm,
  type ImageReference,
  toProblem,
  type VmSpec,
} from '@skein/shared';
import type { Commands } from '../api/commands.ts';
import type { GuestImages } from '../guest-images.ts';
import { liveCopy } from '../operations/operation.ts';
import type { World } from '../world.ts';

/** A VM that could not be placed is tried again this often. */
const retryMs = 500;
/** Nothing is placed before no further host has come for so long: all guests would go to the first one. */
const hostsSettleMs = 2000;

export interface DeclaredState {
  readonly declared: number;
  readonly ready: number;
  /** Why the others are not ready, a sentence each. */
  readonly waiting: readonly string[];
}

export interface DeclaredVmsOptions {
  readonly file: ClusterFile;
  readonly world: World;
  readonly commands: Commands;
  readonly images: GuestImages;
  readonly nowMs: () => number;
}

export class DeclaredVms {
  readonly #file: ClusterFile;
  readonly #world: World;
  readonly #commands: Commands;
  readonly #images: GuestImages;
  readonly #nowMs: () => number;
  /** Not made yet, with the reason of the last attempt. */
  readonly #missing = new Map<string, { readonly vm: DeclaredVm; reason: string }>();
  #triedAtMs = Number.NEGATIVE_INFINITY;
  #hosts = 0;
  #hostCameAtMs = 0;

  constructor({ file, world, commands, images, nowMs }: DeclaredVmsOptions) {
    this.#file = file;
    this.#world = world;
    this.#commands = commands;
    this.#images = images;
    this.#nowMs = nowMs;
    for (const vm of file.vms) {
      const spec = world.store.vms.byName(vm.name);
      if (spec === undefined) this.#missing.set(vm.name, { vm, reason: 'no host has registered yet' });
      else this.#tellDifferences(vm, spec);
    }
  }

  /** Called at each turn of the control loop. */
  turn(): void {
    const nowMs = this.#nowMs();
    if (this.#missing.size === 0 || !this.#haveHostsSettled(nowMs)) return;
    if (nowMs - this.#triedAtMs < retryMs) return;
    this.#triedAtMs = nowMs;
    for (const [name, missing] of this.#missing) {
      try {
        this.#commands.create({ ...missing.vm, start: true });
        this.#missing.delete(name);
      } catch (error) {
        missing.reason = toProblem(error).message;
      }
    }
  }

  #haveHostsSettled(nowMs: number): boolean {
    const hosts = this.#world.hostList.filter(({ verdict }) => verdict.state === 'connected').length;
    if (hosts > this.#hosts) this.#hostCameAtMs = nowMs;
    this.#hosts = Math.max(hosts, this.#hosts);
    return this.#hosts > 0 && nowMs - this.#hostCameAtMs >= hostsSettleMs;
  }

  state(): DeclaredState {
    const inventory = this.#world.inventory();
    const waiting = this.#file.vms.flatMap(({ name }) => {
      const missing = this.#missing.get(name);
      if (missing !== undefined) return [`${name}: ${missing.reason}`];
      const vm = inventory.vms.find(({ spec }) => spec.name === name);
      // Deleted, or switched off, by somebody who may: that is not waiting.
      if (vm === undefined || vm.spec.power === 'off') return [];
      const copy = liveCopy({ vm, inventory });
      if (copy === null) return [`${name}: ${vm.desired.waitingReason ?? 'it runs nowhere'}`];
      const { readyMs, reason } = copy.report;
      return readyMs === null ? [`${name}: ${reason ?? `it boots on ${copy.host}`}`] : [];
    });
    return { declared: this.#file.vms.length, ready: this.#file.vms.length - waiting.length, waiting };
  }

  /** A VM keeps the image that was the newest of its name when it was made. */
  #isMeant(declared: ImageReference, digest: ContentDigest): boolean {
    return declared === digest || declared === this.#images.nameOf(digest);
  }

  #tellDifferences(declared: DeclaredVm, { name, machine }: VmSpec): void {
    const differences: string[] = [];
    if (declared.memoryMib !== machine.memoryMib)
      differences.push(`memoryMib is ${machine.memoryMib}, not ${declared.memoryMib}`);
    if (declared.image !== undefined && !this.#isMeant(declared.image, machine.image))
      differences.push('image');
    const nicsOf = (nics: readonly { segment: string; address?: string | undefined }[]): string =>
      nics.map(({ segment, address = '-' }) => `${segment} ${address}`).join(', ');
    if (nicsOf(declared.nics) !== nicsOf(machine.nics))
      differences.push(`nics are ${nicsOf(machine.nics)}, not ${nicsOf(declared.nics)}`);
    if (differences.length === 0) return;
    const message = `${name} differs from the cluster file and stays as it is: ${differences.join('; ')}`;
    this.#world.event('vm.differs', `vm/${name}`, message);
  }
}
