/**
 * The VM leases of this host, on the lease worker's thread: acquires, renews each half second, and writes every
 * grant's deadline where the vCPU and the senders read it. Losing one is told, not acted on, here.
 */
import { type Epoch, OperationError, type Timing, toProblem, type VmId } from '@skein/shared';
import type { LeaseClient } from '@skein/storage';
import { VmControlBlock } from '../vm/control-block.ts';
import type { LeaseEvent, VmLeaseCommand } from './lease-channel.ts';
import type { LeaseFigures } from './lease-figures.ts';

interface Held {
  readonly vm: VmId;
  readonly control: VmControlBlock;
  epoch: Epoch;
  isRenewing: boolean;
}

/** So long a lease that was passed to us need not be renewed. */
const calmMs = 50;

/** Refusals that say: another has it, or nobody has. Everything else may pass. */
const lostCodes = new Set(['lease.stale-epoch', 'lease.not-owner', 'lease.not-found']);

export interface VmLeasesOptions {
  readonly client: LeaseClient;
  readonly timing: Timing;
  readonly isMainAlive: () => boolean;
  readonly tell: (event: LeaseEvent) => void;
  readonly figures: LeaseFigures;
}

export class VmLeases {
  readonly #client: LeaseClient;
  readonly #figures: LeaseFigures;
  readonly #tell: (event: LeaseEvent) => void;
  readonly #isMainAlive: () => boolean;
  readonly #held = new Map<VmId, Held>();
  /** Grown when clocks stood still: answers to what was asked before are worth nothing. */
  #trust = 0;

  constructor({ client, timing, isMainAlive, tell, figures }: VmLeasesOptions) {
    this.#client = client;
    this.#isMainAlive = isMainAlive;
    this.#tell = tell;
    this.#figures = figures;
    setInterval(() => this.renewAll(), timing.vmLeaseRenewMs);
  }

  obey(command: VmLeaseCommand): void {
    switch (command.type) {
      case 'acquire':
        void this.#acquire(command);
        break;
      case 'adopt':
        this.#renewSoon(this.#hold(command.vm, command.epoch, new VmControlBlock(command.control)));
        break;
      case 'release':
        void this.#release(command);
        break;
      case 'drop':
        this.#held.delete(command.vm);
        break;
    }
  }

  /** Also called when the storage service is back: frozen guests need not wait for the next period. */
  renewAll(): void {
    if (!this.#isMainAlive()) return;
    for (const held of this.#held.values()) void this.#renew(held);
  }

  /** The machine slept: its clock stood still and others did not. A renewal makes deadlines good again. */
  distrustDeadlines(): void {
    this.#trust += 1;
    for (const held of this.#held.values()) held.control.deadlineNs = 0n;
    this.renewAll();
  }

  /** Its deadline is good for longer than that, and the processors are the guest's, which has just arrived. */
  #renewSoon(held: Held): void {
    setTimeout(() => {
      if (this.#held.get(held.vm) === held) void this.#renew(held);
    }, calmMs);
  }

  #hold(vm: VmId, epoch: Epoch, control: VmControlBlock): Held {
    const held: Held = { vm, epoch, control, isRenewing: false };
    this.#held.set(vm, held);
    return held;
  }

  async #acquire(command: Extract<VmLeaseCommand, { type: 'acquire' }>): Promise<void> {
    const { request, vm } = command;
    const trust = this.#trust;
    try {
      const { epoch, deadlineNs } = await this.#acquireDecisively(vm, command.expectEpoch);
      const control = new VmControlBlock(command.control);
      control.restore();
      if (trust === this.#trust) control.deadlineNs = deadlineNs;
      this.#hold(vm, epoch, control);
      this.#tell({ type: 'acquired', request, vm, epoch });
    } catch (error) {
      this.#tell({ type: 'refused', request, vm, problem: toProblem(error) });
    }
  }

  /** An answer that was lost may have been a grant: then the lease is ours at the next epoch, and a renewal tells. */
  async #acquireDecisively(vm: VmId, expectEpoch: Epoch): ReturnType<LeaseClient['acquire']> {
    try {
      return await this.#client.acquire(vm, expectEpoch);
    } catch (error) {
      if (!(error instanceof OperationError) || error.code !== 'link.timeout') throw error;
      return await this.#client.renew(vm, expectEpoch + 1);
    }
  }

  async #renew(held: Held): Promise<void> {
    if (held.isRenewing) return;
    held.isRenewing = true;
    const { vm, epoch } = held;
    const askedNs = process.hrtime.bigint();
    try {
      const trust = this.#trust;
      const { deadlineNs } = await this.#client.renew(vm, epoch);
      this.#figures.add('renewalsGranted');
      this.#figures.add('renewalWaitUs', Number((process.hrtime.bigint() - askedNs) / 1000n));
      if (trust !== this.#trust) return;
      // Dropped or replaced while the answer was on its way: this grant is no longer ours to use.
      if (this.#held.get(vm) === held && held.epoch === epoch) held.control.deadlineNs = deadlineNs;
    } catch (error) {
      const { code, message } = toProblem(error);
      this.#figures.add(lostCodes.has(code) ? 'renewalsRefused' : 'renewalsUnanswered');
      if (lostCodes.has(code) && this.#held.get(vm) === held && held.epoch === epoch) {
        this.#tell({ type: 'lost', vm, epoch, reason: message });
      }
    } finally {
      held.isRenewing = false;
    }
  }

  async #release({ request, vm }: Extract<VmLeaseCommand, { type: 'release' }>): Promise<void> {
    const held = this.#held.get(vm);
    this.#held.delete(vm);
    try {
      if (held !== undefined) {
        held.control.deadlineNs = 0n;
        await this.#client.release(vm, held.epoch);
      }
      this.#tell({ type: 'released', request, vm });
    } catch (error) {
      this.#tell({ type: 'refused', request, vm, problem: toProblem(error) });
    }
  }
}
