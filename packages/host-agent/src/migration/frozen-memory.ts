/**
 * The source's RAM after the commit: frozen, it is sent as far as it is missing at the target. Then it is hashed in full
 * (frozen-hash.ts) and freed.
 */
import { toProblem } from '@skein/shared';
import { failpoint } from '@skein/transport';
import type { MigrationLog } from './migration-log.ts';
import type { PageSender } from './page-sender.ts';
import { PostcopyPush } from './postcopy-push.ts';

export class FrozenMemory {
  readonly #log: MigrationLog;
  #push: PostcopyPush | null = null;

  constructor(log: MigrationLog) {
    this.#log = log;
  }

  /** The target's guest waits for them. */
  want(pages: readonly number[]): void {
    this.#push?.want(pages);
  }

  /** Sends what is missing at the target. Where that fails the guest there has lost its memory, and says so itself. */
  async send(sender: PageSender, missing: Uint32Array, round: number): Promise<void> {
    const log = this.#log;
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
}
