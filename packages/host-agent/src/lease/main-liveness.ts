/**
 * Is the main thread alive, and was this machine awake? A zombie must not renew (safety: rule 5), and the monotonic
 * clock stands still while a laptop sleeps, so after a sleep every deadline is worth nothing (rule 7).
 */
import { readFileSync } from 'node:fs';

/** The main thread counts each 100 ms; a long garbage collection is no death. */
const silenceMsMax = 1000;
const sleepMsMax = 250;

export class MainLiveness {
  readonly #counter: Int32Array;
  #seen = -1;
  #changedAtNs = 0n;

  constructor(counter: SharedArrayBuffer) {
    this.#counter = new Int32Array(counter);
  }

  isAlive(): boolean {
    const nowNs = process.hrtime.bigint();
    const value = Atomics.load(this.#counter, 0);
    if (value !== this.#seen) {
      this.#seen = value;
      this.#changedAtNs = nowNs;
    }
    return nowNs - this.#changedAtNs < BigInt(silenceMsMax) * 1_000_000n;
  }
}

/** Compares the monotonic clock with the time since boot, which goes on while the machine sleeps. */
export class SleepDetector {
  #lastGapMs: number | null = null;

  /** True if the machine slept since the last call. False where /proc/uptime does not exist. */
  hasSlept(): boolean {
    const gapMs = uptimeMs();
    if (gapMs === null) return false;
    const behindMs = gapMs - Number(process.hrtime.bigint()) / 1e6;
    const hasSlept = this.#lastGapMs !== null && behindMs - this.#lastGapMs > sleepMsMax;
    this.#lastGapMs = behindMs;
    return hasSlept;
  }
}

function uptimeMs(): number | null {
  try {
    const seconds = Number(readFileSync('/proc/uptime', 'utf8').split(' ')[0]);
    return Number.isFinite(seconds) ? seconds * 1000 : null;
  } catch {
    return null;
  }
}
