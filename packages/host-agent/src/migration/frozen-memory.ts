/**
 * The source's RAM after the commit: frozen, it is sent as far as it is missing at the target, and then hashed in full,
 * off the downtime path, before it is freed.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { type CoreModules, LivePages, type MachineMemory } from '@skein/machine';
import { toProblem } from '@skein/shared';
import { failpoint } from '@skein/transport';
import type { MigrationLog } from './migration-log.ts';
import { KernelLayout, PageKernel } from './page-kernel.ts';
import type { PageSender } from './page-sender.ts';
import { PostcopyPush } from './postcopy-push.ts';

/** So long the guest at the target has the processors to itself, where both hosts share them. */
const calmMs = 100;
/** A guest whose processor is taken for longer than this feels it, and it needs the rest for what it missed. */
const turnMs = 1;
const restMs = 1;
/** Some tenths of a millisecond. */
const pagesAtOnce = 512;

export interface FrozenMemoryOptions {
  readonly core: CoreModules;
  readonly memory: MachineMemory;
  readonly log: MigrationLog;
}

export class FrozenMemory {
  readonly #options: FrozenMemoryOptions;
  #push: PostcopyPush | null = null;

  constructor(options: FrozenMemoryOptions) {
    this.#options = options;
  }

  /** The target's guest waits for them. */
  want(pages: readonly number[]): void {
    this.#push?.want(pages);
  }

  /** Sends what is missing at the target. Where that fails the guest there has lost its memory, and says so itself. */
  async send(sender: PageSender, missing: Uint32Array, round: number): Promise<void> {
    const { log } = this.#options;
    const startedNs = process.hrtime.bigint();
    this.#push = new PostcopyPush(sender, missing, round);
    failpoint('migration.post-copy.push');
    try {
      const pushed = await this.#push.run();
      const durationMs = Number(process.hrtime.bigint() - startedNs) / 1e6;
      log.postcopy = {
        ...pushed,
        freePages: log.freePagesLeftOut,
        durationMs,
        waitMs: 0,
        waitMsMax: 0,
      };
    } catch (error) {
      log.memoryLost = toProblem(error).message;
    }
  }

  /** Sum of the hashes of all pages as they stand. Nobody waits for it: the guest's first moments at the target come first. */
  async hash(): Promise<bigint> {
    const { core, memory } = this.#options;
    await delay(calmMs);
    const kernel = new PageKernel(core, memory, new KernelLayout().end, new LivePages(core, memory));
    let sum = 0n;
    let turnFromMs = performance.now();
    for (let page = 0; page < memory.pages; page += pagesAtOnce) {
      sum += kernel.calls.sumLiveHashes(page, Math.min(pagesAtOnce, memory.pages - page));
      if (performance.now() - turnFromMs < turnMs) continue;
      await delay(restMs);
      turnFromMs = performance.now();
    }
    return BigInt.asUintN(64, sum);
  }
}
