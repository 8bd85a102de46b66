/**
 * Where the source of one migration listens for its target: who is let in, and what it may say when. What it may not say is
 * not acted on: it is hung up on, which before the pass is the end of the migration; afterwards what became of the lease decides.
 */
import {
  type ErrorCode,
  type MigrationRecord,
  migrationProtocol,
  OperationError,
  type TargetTimes,
} from '@skein/shared';
import { type Link, type Listener, listen, type RequestOf } from '@skein/transport';
import { isOver, type SourceEvent, type SourceState } from '../core/migration-source.ts';
import { refusalCode } from './refusal-code.ts';
import type { SourceAssignment } from './transfer-channel.ts';

export type TransferLink = Link<typeof migrationProtocol, 'listener'>;
type Hello = RequestOf<(typeof migrationProtocol)['fromDialer'], 'migration.hello'>;

export interface SourcePortOptions {
  readonly assignment: SourceAssignment;
  readonly memoryPages: number;
  readonly state: () => SourceState;
  readonly feed: (event: SourceEvent, code: ErrorCode | null) => void;
  /** The one target has come. */
  readonly onTarget: (link: TransferLink) => void;
  /** It is ready for pages. */
  readonly onBegin: () => void;
  /** So many bytes were applied there; false: so many are not on their way. */
  readonly onApplied: (bytes: number) => boolean;
  /** The guest waits there for these pages; false: none follow. */
  readonly onWanted: (pages: readonly number[]) => boolean;
  /** The guest runs there. */
  readonly onResumed: (times: TargetTimes) => Promise<MigrationRecord>;
}

export class SourcePort {
  readonly #options: SourcePortOptions;
  #listener: Listener<typeof migrationProtocol> | null = null;
  #link: TransferLink | null = null;
  #hasHeardResumed = false;

  constructor(options: SourcePortOptions) {
    this.#options = options;
  }

  /** @throws OperationError address.unavailable */
  async listen(): Promise<{ readonly address: string; readonly port: number }> {
    const { command, host, bootId, migrationAddress, authentication } = this.#options.assignment;
    this.#listener = await listen({
      host: migrationAddress,
      port: 0,
      protocol: migrationProtocol,
      own: { role: 'transfer', name: host, bootId },
      authentication,
      admit: (peer) => {
        if (peer.name === command.targetHost && this.#link === null) return;
        throw new OperationError({ code: 'link.unauthenticated', message: 'this port serves one migration' });
      },
      handlers: {
        requests: {
          'migration.hello': (hello, link) => this.#greet(hello, link),
          'migration.clock': () => ({ nowNs: process.hrtime.bigint() }),
          'migration.begin': (_, link) => this.#begin(link),
          'migration.resumed': async (times, link) => ({ record: await this.#resumed(times, link) }),
        },
        notices: {
          'migration.refused': ({ code, reason }, link) => {
            if (link === this.#link)
              this.#options.feed({ type: 'target-refused', reason }, refusalCode(code));
          },
          'pages.wanted': ({ pages }, link) => this.#want(pages, link),
          'pages.applied': ({ bytes }, link) => {
            if (link === this.#link && this.#options.onApplied(bytes)) return;
            const reason = `the target acknowledges ${bytes} bytes that were never sent`;
            this.#breach(link, 'migration.acknowledgement-invalid', reason);
          },
        },
      },
    });
    return { address: migrationAddress, port: this.#listener.port };
  }

  async close(): Promise<void> {
    await this.#listener?.close();
  }

  #greet(hello: Hello, link: TransferLink): { memoryMib: number; machineVersion: number } {
    const { command, memoryMib, machineVersion, host } = this.#options.assignment;
    const { operation, vm, epoch } = hello;
    if (operation !== command.operation || vm !== command.vm || epoch !== command.epoch)
      throw new OperationError({ code: 'epoch.stale', message: 'the target wants another migration' });
    if (hello.machineVersion !== machineVersion) {
      const code = 'migration.machine-version';
      const reason = `${hello.host} has machine version ${hello.machineVersion}, ${host} has ${machineVersion}: update the older one`;
      this.#options.feed({ type: 'target-refused', reason }, code);
      throw new OperationError({ code, message: reason });
    }
    if (this.#link !== null)
      throw new OperationError({ code: 'link.unauthenticated', message: 'this port serves one target' });
    this.#link = link;
    this.#options.onTarget(link);
    return { memoryMib, machineVersion };
  }

  #begin(link: TransferLink): Record<string, never> {
    const state = this.#options.state();
    if (isOver(state)) {
      const message = state.reason ?? 'the migration has ended';
      throw new OperationError({ code: 'migration.aborted', message });
    }
    if (link !== this.#link || state.phase !== 'connecting')
      throw this.#breach(link, 'migration.out-of-turn', 'the target begins a second time');
    this.#options.onBegin();
    this.#options.feed({ type: 'target-connected' }, null);
    return {};
  }

  async #resumed(times: TargetTimes, link: TransferLink): Promise<MigrationRecord> {
    const { phase } = this.#options.state();
    const isCommitted = phase === 'committed' || phase === 'closed';
    if (link !== this.#link || !isCommitted || this.#hasHeardResumed) {
      const when = isCommitted ? 'a second time' : 'before it was granted the lease';
      throw this.#breach(link, 'migration.out-of-turn', `the target says that its guest runs ${when}`);
    }
    this.#hasHeardResumed = true;
    return await this.#options.onResumed(times);
  }

  #want(pages: readonly number[], link: TransferLink): void {
    const { memoryPages, state, onWanted } = this.#options;
    const outside = pages.find((page) => page >= memoryPages);
    if (outside !== undefined) {
      const reason = `the target wants page ${outside} of a guest that has ${memoryPages}`;
      this.#breach(link, 'migration.pages-invalid', reason);
      return;
    }
    // What was asked for a moment ago may have been on its way already.
    if (isOver(state()) || (state().phase === 'committed' && link === this.#link && onWanted(pages))) return;
    this.#breach(link, 'migration.out-of-turn', 'the target wants pages although none follow');
  }

  #breach(link: TransferLink, code: ErrorCode, reason: string): OperationError {
    if (link === this.#link) this.#options.feed({ type: 'cancelled', reason }, code);
    // Behind the answer to a request, where it was one.
    setImmediate(() => link.close(reason));
    return new OperationError({ code, message: reason });
  }
}
