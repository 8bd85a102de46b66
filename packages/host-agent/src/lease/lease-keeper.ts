/**
 * The main thread's handle on the lease worker: acquires and releases VM leases, hears of losses, knows whether
 * the host lease is held. The worker renews by itself; this thread only proves that it is alive.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import { type Epoch, fromProblem, OperationError, type VmId } from '@skein/shared';
import { type CloseReason, isRefusedForGood } from '@skein/transport';
import { hostRefused } from '../refusal.ts';
import type { VmControlBlock } from '../vm/control-block.ts';
import type { LeaseCommand, LeaseEvent, LeaseWorkerData } from './lease-channel.ts';
import { leaseFigures } from './lease-figures.ts';

const livenessPeriodMs = 100;
const answerDeadlineMs = 5000;

interface Waiting {
  readonly resolve: (epoch: Epoch) => void;
  readonly reject: (error: Error) => void;
  readonly timer: NodeJS.Timeout;
}

export class LeaseKeeper {
  /** Counted by the worker. */
  readonly figures = leaseFigures();
  readonly #worker: Worker;
  readonly #waiting = new Map<number, Waiting>();
  readonly #liveness = new Int32Array(new SharedArrayBuffer(4));
  readonly #livenessTimer: NodeJS.Timeout;
  readonly #hostLeaseWaiters = new Set<() => void>();
  readonly #storageAnswered = Promise.withResolvers<void>();
  readonly #data: Omit<LeaseWorkerData, 'liveness' | 'figures'>;
  #lastRequest = 0;
  #holdsHostLease = false;
  #isStorageConnected = false;
  #onLost: ((vm: VmId, epoch: Epoch, reason: string) => void) | null = null;
  #onDied: ((error: Error) => void) | null = null;

  constructor(data: Omit<LeaseWorkerData, 'liveness' | 'figures'>) {
    const workerData: LeaseWorkerData = {
      ...data,
      liveness: this.#liveness.buffer,
      figures: this.figures.buffer,
    };
    this.#data = data;
    this.#storageAnswered.promise.catch(() => {}); // Whoever awaits it is told.
    this.#worker = new Worker(new URL('../../build/lease.worker.js', import.meta.url), { workerData });
    this.#worker.on('message', (event: LeaseEvent) => this.#hear(event));
    this.#worker.on('error', (error: Error) => this.#onDied?.(error));
    this.#livenessTimer = setInterval(() => Atomics.add(this.#liveness, 0, 1), livenessPeriodMs);
  }

  get isStorageConnected(): boolean {
    return this.#isStorageConnected;
  }

  /** True as soon as the host lease is held, false if that takes longer than `waitMsMax`. */
  awaitHostLease(waitMsMax: number): Promise<boolean> {
    if (this.#holdsHostLease) return Promise.resolve(true);
    return new Promise((resolve) => {
      const timer = setTimeout(() => {
        this.#hostLeaseWaiters.delete(wake);
        resolve(false);
      }, waitMsMax);
      const wake = (): void => {
        clearTimeout(timer);
        resolve(true);
      };
      this.#hostLeaseWaiters.add(wake);
    });
  }

  /**
   * Returns when the storage service has let this host in, or after `waitMsMax`: it may be down just now.
   * @throws OperationError link.unauthenticated, link.protocol-version: it never will
   */
  async awaitStorage(waitMsMax: number): Promise<void> {
    const patience = new AbortController();
    const signal = patience.signal;
    await Promise.race([
      this.#storageAnswered.promise,
      delay(waitMsMax, undefined, { signal }).catch(() => {}),
    ]).finally(() => patience.abort());
  }

  onLost(listener: (vm: VmId, epoch: Epoch, reason: string) => void): void {
    this.#onLost = listener;
  }

  /** Without this worker no lease is renewed: the agent cannot go on. */
  onDied(listener: (error: Error) => void): void {
    this.#onDied = listener;
  }

  /**
   * Takes the VM's lease by compare-and-set and keeps it renewed; its deadline appears in `control`.
   * @throws OperationError lease.held, lease.stale-epoch, link.*, timeout
   */
  acquire(vm: VmId, expectEpoch: Epoch, control: VmControlBlock): Promise<Epoch> {
    return this.#ask((request) => ({ type: 'acquire', request, vm, expectEpoch, control: control.buffer }));
  }

  /** Renews from now on a lease that was passed to us; its deadline stands in `control` already. */
  adopt(vm: VmId, epoch: Epoch, control: VmControlBlock): void {
    this.#tell({ type: 'adopt', vm, epoch, control: control.buffer });
  }

  /** Gives the lease back, if it is ours. */
  async release(vm: VmId): Promise<void> {
    await this.#ask((request) => ({ type: 'release', request, vm }));
  }

  /** Stops renewing a lease that is not ours any more. */
  drop(vm: VmId): void {
    this.#tell({ type: 'drop', vm });
  }

  /** This host's own address on a network is another one now. */
  redial(network: 'management' | 'storage-a'): void {
    this.#tell({ type: 'redial', network });
  }

  async close(): Promise<void> {
    clearInterval(this.#livenessTimer);
    await this.#worker.terminate();
  }

  #ask(command: (request: number) => LeaseCommand): Promise<Epoch> {
    const request = ++this.#lastRequest;
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#waiting.delete(request);
        reject(
          new OperationError({
            code: 'timeout',
            message: 'the storage service did not answer about a lease in time',
          }),
        );
      }, answerDeadlineMs);
      this.#waiting.set(request, { resolve, reject, timer });
      this.#tell(command(request));
    });
  }

  #tell(command: LeaseCommand): void {
    this.#worker.postMessage(command);
  }

  #hear(event: LeaseEvent): void {
    switch (event.type) {
      case 'acquired':
        this.#settle(event.request)?.resolve(event.epoch);
        break;
      case 'released':
        this.#settle(event.request)?.resolve(0);
        break;
      case 'refused':
        this.#settle(event.request)?.reject(fromProblem(event.problem));
        break;
      case 'lost':
        this.#onLost?.(event.vm, event.epoch, event.reason);
        break;
      case 'host-lease':
        this.#holdsHostLease = event.isHeld;
        if (!event.isHeld) break;
        for (const wake of this.#hostLeaseWaiters) wake();
        this.#hostLeaseWaiters.clear();
        break;
      case 'storage':
        this.#isStorageConnected = event.down === null;
        this.#hearOfStorage(event.down);
        break;
    }
  }

  #hearOfStorage(down: CloseReason | null): void {
    if (down === null) this.#storageAnswered.resolve();
    else if (isRefusedForGood(down)) {
      const { host, storage } = this.#data;
      const peer = `the storage service at ${storage.address}:${storage.port}`;
      this.#storageAnswered.reject(hostRefused(host, peer, down));
    }
  }

  #settle(request: number): Waiting | undefined {
    const waiting = this.#waiting.get(request);
    this.#waiting.delete(request);
    if (waiting !== undefined) clearTimeout(waiting.timer);
    return waiting;
  }
}
