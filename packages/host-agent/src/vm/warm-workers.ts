/**
 * Worker threads that are started before they are needed: a thread takes some 30 ms to start, which would be
 * downtime of a migration or delay of a restart.
 */
import { type ResourceLimits, Worker } from 'node:worker_threads';

export class WarmWorkers {
  readonly #entry: URL;
  readonly #spare: Worker[] = [];
  readonly #spareCount: number;
  readonly #limits: ResourceLimits;
  #isClosed = false;

  /** `entry` names a bundle in build/, see scripts/ensure-core.ts. */
  constructor(entry: string, spareCount: number, limits: ResourceLimits = {}) {
    this.#entry = new URL(`../../build/${entry}.js`, import.meta.url);
    this.#spareCount = spareCount;
    this.#limits = limits;
    this.#refill();
  }

  /** A worker that nobody has talked to yet. */
  take(): Worker {
    const worker = this.#spare.shift() ?? this.#start();
    setImmediate(() => this.#refill());
    worker.ref();
    return worker;
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    await Promise.all(this.#spare.splice(0).map((worker) => worker.terminate()));
  }

  #refill(): void {
    while (!this.#isClosed && this.#spare.length < this.#spareCount) {
      const worker = this.#start();
      worker.unref();
      worker.once('error', () => this.#forget(worker));
      worker.once('exit', () => this.#forget(worker));
      this.#spare.push(worker);
    }
  }

  #forget(worker: Worker): void {
    const index = this.#spare.indexOf(worker);
    if (index >= 0) this.#spare.splice(index, 1);
  }

  #start(): Worker {
    return new Worker(this.#entry, { resourceLimits: this.#limits });
  }
}
