/**
 * The source's RAM after the commit: frozen, it is sent as far as it is missing at the target, and then hashed in full,
 * off the downtime path, before it is freed.
 */
import { type CoreModules, LivePages, type MachineMemory } from '@skein/machine';
import { toProblem } from '@skein/shared';
import type { MigrationLog } from './migration-log.ts';
import type { PageSender } from './page-sender.ts';
import { PostcopyPush } from './postcopy-push.ts';

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
    try {
      const pushed = await this.#push.run();
      const durationMs = Number(process.hrtime.bigint() - startedNs) / 1e6;
      log.postcopy = { ...pushed, durationMs, waitMs: 0, waitMsMax: 0 };
    } catch (error) {
      log.memoryLost = toProblem(error).message;
    }
  }

  /** Sum of the hashes of all pages as they stand. */
  hash(): bigint {
    const { core, memory } = this.#options;
    const live = new LivePages(core, memory);
    let sum = 0n;
    for (let page = 0; page < memory.pages; page++) if (memory.isTouched(page)) sum += live.hash(page);
    return sum;
  }
}
