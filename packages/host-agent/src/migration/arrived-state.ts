/** What arrived at a migration's target, put together: pages, and the state of CPU and devices, compared with what was sent. */
import { addHashes, type MachineMemory } from '@skein/machine';
import { type MigrationFinal, type Problem, toProblem } from '@skein/shared';
import type { TransferReply } from '../vm/vm-channel.ts';
import type { MemoryArrival } from './memory-arrival.ts';
import { bitmapOf } from './page-bitmap.ts';
import { formatStateHash } from './page-hashes.ts';
import type { PageReceiver } from './page-receiver.ts';
import type { VmLink } from './vm-link.ts';

export interface ArrivedStateOptions {
  readonly vm: VmLink;
  readonly memory: MachineMemory;
  readonly receiver: PageReceiver;
  readonly arrival: MemoryArrival;
}

export class ArrivedState {
  readonly #options: ArrivedStateOptions;
  /** What the machine says to its state; null before it came. */
  #prepared: Promise<Extract<TransferReply, { type: 'prepared' }>> | null = null;
  #preparedHash = 0n;

  constructor(options: ArrivedStateOptions) {
    this.#options = options;
  }

  /** The state of CPU and devices came. */
  get hasCome(): boolean {
    return this.#prepared !== null;
  }

  /** Of all that is here, once it was found to be what the source has. */
  get hash(): bigint {
    return addHashes(this.#options.receiver.hashes.sum, this.#preparedHash);
  }

  /** The machine takes it over while the last pages are still on their way. */
  prepare(state: Uint8Array): void {
    this.#prepared = this.#options.vm.ask({ type: 'prepare', state }, 'prepared');
    // Whoever waits for it hears of a failure.
    this.#prepared.catch(() => {});
  }

  /** All pages were applied before this message, in order. Null if everything is as the source has it. */
  async compare(final: MigrationFinal): Promise<Pick<Problem, 'code' | 'message'> | null> {
    const { memory, receiver, arrival } = this.#options;
    if (final.batches !== receiver.batches) {
      const message = `${receiver.batches} page batches were applied, ${final.batches} were sent`;
      return { code: 'migration.pages-invalid', message };
    }
    const missing = final.missing === null ? null : bitmapOf(final.missing, memory.pages);
    if (final.missing !== null && missing === null) {
      const message = `the bitmap of missing pages has ${final.missing.length} bytes, this guest has ${memory.pages} pages`;
      return { code: 'migration.state-invalid', message };
    }
    if (this.#prepared === null)
      return { code: 'migration.state-invalid', message: 'the state of CPU and devices never came' };
    if (missing !== null) {
      receiver.withhold(missing);
      arrival.begin();
    }
    const prepared = await this.#prepared.catch((error: unknown) => toProblem(error));
    if ('code' in prepared) return { code: 'migration.state-invalid', message: prepared.message };
    this.#preparedHash = prepared.stateHash;
    const hash = formatStateHash(this.hash);
    if (hash === final.stateHash) return null;
    const message = `the state hash is ${hash} here and ${final.stateHash} at the source`;
    return { code: 'migration.hash-mismatch', message };
  }
}
