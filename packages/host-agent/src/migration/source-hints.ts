/** What the source says of its guest before that stands still, so that the target can do something for it before it comes. */
import type { MachineMemory } from '@skein/machine';
import { CodeAhead } from './code-ahead.ts';
import { MemoryAhead } from './memory-ahead.ts';
import type { PageReceiver } from './page-receiver.ts';
import type { SourceBreach } from './source-breach.ts';
import type { VmLink } from './vm-link.ts';

export interface SourceHintsOptions {
  readonly vm: Pick<VmLink, 'ask' | 'tell'>;
  readonly memory: MachineMemory;
  readonly receiver: PageReceiver;
  readonly breach: Pick<SourceBreach, 'byNotice'>;
  /** Null: the migration is over, and whatever comes is an echo. */
  readonly areDue: () => boolean | null;
}

export class SourceHints {
  readonly #options: SourceHintsOptions;
  readonly #code: CodeAhead;
  readonly #memory: MemoryAhead;

  constructor(options: SourceHintsOptions) {
    this.#options = options;
    this.#code = new CodeAhead(options.vm, options.receiver);
    this.#memory = new MemoryAhead(options.vm, options.memory);
  }

  hearUsedCode(usedCode: Uint8Array): void {
    const isKnown = this.#code.isKnown;
    if (this.#isDue("the guest's used code came where none is due", isKnown)) this.#code.learn(usedCode);
  }

  hearComing(firstPage: number, pages: Uint8Array): void {
    if (!this.#isDue('pages are said to come where none are due')) return;
    const problem = this.#memory.learn(firstPage, pages);
    if (problem !== null) this.#options.breach.byNotice('migration.pages-invalid', problem);
  }

  /** Not of the last round, which somebody waits for. */
  pagesCame(): void {
    if (this.#options.areDue() === true) this.#code.pagesCame();
  }

  /** All is here, and until the lease has passed there is nothing else to do. */
  memoryCame(): void {
    this.#code.decode();
  }

  #isDue(otherwise: string, isOneTooMany = false): boolean {
    const areDue = this.#options.areDue();
    if (areDue === true && !isOneTooMany) return true;
    if (areDue !== null) this.#options.breach.byNotice('migration.out-of-turn', otherwise);
    return false;
  }
}
