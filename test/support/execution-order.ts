/**
 * In which order the copies of a VM executed, from what their hosts count, seen now and then: once a copy of one epoch has
 * executed none of an older epoch may, and an epoch belongs to one host.
 */

/** A copy that takes its host's memory, whether or not it may run. */
export interface ObservedCopy {
  readonly host: string;
  readonly epoch: number;
  readonly steps: number;
  /** 0: it has no right to run. */
  readonly leaseRemainingS: number;
}

/** What one look at a host gave. */
export interface Sample {
  /** Between these two the host looked. */
  readonly askedAtMs: number;
  readonly answeredAtMs: number;
  readonly copy: ObservedCopy | null;
}

interface Executed {
  readonly host: string;
  readonly epoch: number;
  /** It had executed by then. */
  readonly byMs: number;
}

export class ExecutionOrder {
  readonly #vm: string;
  #newest: Executed | null = null;
  readonly violations: string[] = [];

  constructor(vm: string) {
    this.#vm = vm;
  }

  /** Two looks at one host, one after the other. */
  note(before: Sample, now: Sample): void {
    if (before.copy === null || now.copy === null || now.copy.steps <= before.copy.steps) return;
    // A copy that has just arrived runs a moment before its host's main thread has heard under which epoch.
    if (before.copy.steps === 0) return;
    const { host, epoch } = now.copy;
    const newest = this.#newest;
    const isOlder = newest !== null && epoch < newest.epoch && before.askedAtMs >= newest.byMs;
    const isSecond = newest !== null && epoch === newest.epoch && host !== newest.host;
    if (isOlder || isSecond) {
      this.violations.push(
        `${this.#vm} executed on ${host} at epoch ${epoch} after it had on ${newest.host} at epoch ${newest.epoch}`,
      );
    }
    if (newest === null || epoch > newest.epoch) this.#newest = { host, epoch, byMs: now.answeredAtMs };
  }
}
