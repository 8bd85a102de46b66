/**
 * Worker threads that are started before they are needed: a thread takes some 30 ms to start, which would be
 * downtime of a migration or delay of a restart. What a thread does for the first time it does slowly, so a spare one may be
 * asked to rehearse; it does so in small steps, and whatever it is given to do comes first.
 */
import { type ResourceLimits, Worker } from 'node:worker_threads';

export interface WarmWorkersOptions {
  /** Names a bundle in build/, see scripts/ensure-core.ts. */
  readonly entry: string;
  readonly spareCount: number;
  /** So many that were given back are kept, which are warmer than any new one; default: as many as there are spare ones. */
  readonly keptMax?: number;
  readonly limits?: ResourceLimits;
  /** What a worker is told that is spare from now on, a new one or one that was given back, which knows what it has done of it; null: nothing. */
  readonly rehearsal: () => unknown;
  /** What a spare worker says, or dies of: it could not rehearse. Whoever takes one gets a slower one, or a new one. */
  readonly onTrouble: (reason: string) => void;
}

export class WarmWorkers {
  readonly #entry: URL;
  readonly #spare: Worker[] = [];
  readonly #spareCount: number;
  readonly #keptMax: number;
  readonly #limits: ResourceLimits;
  readonly #rehearsal: WarmWorkersOptions['rehearsal'];
  readonly #tellTrouble: (said: unknown) => void;
  #isClosed = false;

  constructor(options: WarmWorkersOptions) {
    const { entry, spareCount, keptMax = spareCount, limits = {}, rehearsal, onTrouble } = options;
    this.#entry = new URL(`../../build/${entry}.js`, import.meta.url);
    this.#spareCount = spareCount;
    this.#keptMax = keptMax;
    this.#limits = limits;
    this.#rehearsal = rehearsal;
    this.#tellTrouble = (said) => onTrouble(String(said));
    this.refill();
  }

  /** A worker that nobody has asked for anything yet but to rehearse. `refill` when there is time for its successor. */
  take(): Worker {
    const worker = this.#spare.shift() ?? this.#start();
    forgetListeners(worker);
    worker.ref();
    return worker;
  }

  /** It has done what it was given. Taken next, for it is warmer than what rehearsed. */
  giveBack(worker: Worker): void {
    forgetListeners(worker);
    const tooMany = this.#spare.splice(Math.max(0, this.#keptMax - 1));
    for (const cooler of tooMany) void cooler.terminate();
    if (this.#isClosed) void worker.terminate();
    else {
      this.#spare.unshift(worker);
      this.#watch(worker);
      this.#rehearse(worker);
    }
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    await Promise.all(this.#spare.splice(0).map((worker) => worker.terminate()));
  }

  /** Starts what is missing of the spare ones. */
  refill(): void {
    while (!this.#isClosed && this.#spare.length < this.#spareCount) {
      const worker = this.#start();
      this.#spare.push(worker);
      this.#watch(worker);
      this.#rehearse(worker);
    }
  }

  #rehearse(worker: Worker): void {
    const rehearsal = this.#rehearsal();
    if (rehearsal !== null) worker.postMessage(rehearsal);
  }

  #watch(worker: Worker): void {
    worker.unref();
    worker.on('message', this.#tellTrouble);
    worker.on('error', this.#tellTrouble);
    worker.once('error', () => this.#forget(worker));
    worker.once('exit', () => this.#forget(worker));
  }

  #forget(worker: Worker): void {
    const index = this.#spare.indexOf(worker);
    if (index >= 0) this.#spare.splice(index, 1);
  }

  #start(): Worker {
    return new Worker(this.#entry, { resourceLimits: this.#limits });
  }
}

/** Ours: Node has some of its own on a worker, without which it says nothing. */
function forgetListeners(worker: Worker): void {
  for (const event of ['message', 'error', 'exit']) worker.removeAllListeners(event);
}
