/**
 * The words of one VM that several threads look at: its lease's deadline (written by the lease worker, read
 * before every slice and every send), its CPU budget, and what it used. One small SharedArrayBuffer a VM; guest
 * RAM and the attention word stand in the machine's own memory.
 */
import { invariant } from '@skein/shared';
import { isAllowed } from '../core/output-guard.ts';

const layout = {
  deadlineNs: 0,
  steps: 1,
  busyNs: 2,
  /** Ready time: wanted to run and was not allowed to by its budget. */
  readyNs: 3,
  budgetStepsPerMs: 4,
  executedSteps: 5,
  revoked: 6,
  /** How much of its time a migration keeps the vCPU from running. */
  throttlePercent: 7,
} as const;

const words = 8;

export class VmControlBlock {
  readonly buffer: SharedArrayBuffer;
  readonly #words: BigInt64Array<SharedArrayBuffer>;

  constructor(buffer: SharedArrayBuffer = new SharedArrayBuffer(words * 8)) {
    invariant(buffer.byteLength === words * 8, 'a VM control block has 8 words');
    this.buffer = buffer;
    this.#words = new BigInt64Array(buffer);
  }

  /** On this host's monotonic clock; 0 means no lease. */
  get deadlineNs(): bigint {
    return Atomics.load(this.#words, layout.deadlineNs);
  }

  set deadlineNs(value: bigint) {
    Atomics.store(this.#words, layout.deadlineNs, value);
  }

  /** The output guard: call it immediately before a slice and before each send of this VM's output. */
  isAllowed(nowNs: bigint): boolean {
    return !this.isRevoked && isAllowed(this.deadlineNs, nowNs);
  }

  /** Ends the right to run whatever deadline a renewal still on its way may write. */
  revoke(): void {
    Atomics.store(this.#words, layout.revoked, 1n);
    this.deadlineNs = 0n;
  }

  get isRevoked(): boolean {
    return Atomics.load(this.#words, layout.revoked) !== 0n;
  }

  /** The lease was taken anew: deadlines count again. */
  restore(): void {
    Atomics.store(this.#words, layout.revoked, 0n);
  }

  /** Since power-on, on whichever host. */
  get steps(): bigint {
    return Atomics.load(this.#words, layout.steps);
  }

  /** On this host. */
  get executedSteps(): bigint {
    return Atomics.load(this.#words, layout.executedSteps);
  }

  /** `executed` more, which makes `sincePowerOn`. */
  countSteps(sincePowerOn: bigint, executed: number): void {
    Atomics.store(this.#words, layout.steps, sincePowerOn);
    Atomics.add(this.#words, layout.executedSteps, BigInt(executed));
  }

  get busyNs(): bigint {
    return Atomics.load(this.#words, layout.busyNs);
  }

  addBusyNs(value: bigint): void {
    Atomics.add(this.#words, layout.busyNs, value);
  }

  get readyNs(): bigint {
    return Atomics.load(this.#words, layout.readyNs);
  }

  addReadyNs(value: bigint): void {
    Atomics.add(this.#words, layout.readyNs, value);
  }

  /** Entitlement: steps a millisecond; the vCPU executes no more. */
  get budgetStepsPerMs(): number {
    return Number(Atomics.load(this.#words, layout.budgetStepsPerMs));
  }

  set budgetStepsPerMs(value: number) {
    Atomics.store(this.#words, layout.budgetStepsPerMs, BigInt(Math.floor(value)));
  }

  /** 0 to 99; written by the source of a migration that does not converge. */
  get throttlePercent(): number {
    return Number(Atomics.load(this.#words, layout.throttlePercent));
  }

  set throttlePercent(value: number) {
    Atomics.store(this.#words, layout.throttlePercent, BigInt(Math.round(value)));
  }
}
