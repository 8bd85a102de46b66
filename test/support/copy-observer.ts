/**
 * Watches, host by host, whether copies of a VM execute: each agent's own count of executed steps, whatever the coordinator
 * thinks. Once a copy of one epoch has executed none of an older epoch may, and an epoch belongs to one host.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { ExecutionOrder, type ObservedCopy, type Sample } from './execution-order.ts';
import { Scrape } from './scrape.ts';

export interface ObservedHost {
  readonly name: string;
  readonly metricsUrl: string;
}

const periodMs = 100;

export class CopyObserver {
  readonly #hosts: readonly ObservedHost[];
  readonly #token: string;
  readonly #vm: string;
  readonly #watches: Promise<void>[];
  readonly #order: ExecutionOrder;
  #isEnded = false;

  constructor(hosts: readonly ObservedHost[], token: string, vm: string) {
    this.#hosts = hosts;
    this.#token = token;
    this.#vm = vm;
    this.#order = new ExecutionOrder(vm);
    this.#watches = hosts.map((host) => this.#watch(host));
  }

  /** Two copies executed, or an older one after a newer. */
  get violations(): readonly string[] {
    return this.#order.violations;
  }

  /** On all hosts that answer. */
  async copies(): Promise<ObservedCopy[]> {
    const samples = await Promise.all(this.#hosts.map((host) => this.#look(host)));
    return samples.flatMap((sample) => sample?.copy ?? []);
  }

  /** Alarms of all hosts that answer: migrations whose two ends were not one state. */
  async hashMismatches(): Promise<number> {
    const scrapes = await Promise.all(
      this.#hosts.map(({ metricsUrl }) => Scrape.of(metricsUrl, this.#token).catch(() => null)),
    );
    return scrapes.reduce(
      (sum, scrape) => sum + (scrape?.value('skein_migration_hash_mismatches_total') ?? 0),
      0,
    );
  }

  async close(): Promise<void> {
    this.#isEnded = true;
    await Promise.all(this.#watches);
  }

  async #watch(host: ObservedHost): Promise<void> {
    let before: Sample | null = null;
    while (!this.#isEnded) {
      const now = await this.#look(host);
      if (before !== null && now !== null) this.#order.note(before, now);
      before = now;
      await delay(periodMs);
    }
  }

  async #look({ name, metricsUrl }: ObservedHost): Promise<Sample | null> {
    const askedAtMs = performance.now();
    const scrape = await Scrape.of(metricsUrl, this.#token).catch(() => null);
    if (scrape === null) return null;
    const of = { name: this.#vm };
    const steps = scrape.value('skein_vm_steps_total', of);
    const epoch = scrape.value('skein_vm_epoch', of);
    const leaseRemainingS = scrape.value('skein_vm_lease_remaining_seconds', of) ?? 0;
    const copy =
      steps === undefined || epoch === undefined ? null : { host: name, epoch, steps, leaseRemainingS };
    return { askedAtMs, answeredAtMs: performance.now(), copy };
  }
}
