/**
 * What a vCPU's thread does for a guest that is on its way: it decodes the code that the guest used at its source, piece by piece,
 * between which commands are heard. Over with the first step: nothing of a guest that runs may be dropped as written by others.
 */
import { type UsedCode, usedCodePageBytes } from '@skein/machine';

/** In one go: a tenth of a millisecond. */
const pagesAtOnce = 16;

export class DecodeAhead {
  readonly #machineCode: Pick<UsedCode, 'decode' | 'dropRewritten'>;
  readonly #tell: () => void;
  #usedCode: Uint8Array | null = null;
  /** From which page on it is to be decoded; null: there is nothing to do. */
  #next: number | null = null;
  #decodedPages = 0;
  #isOver = false;

  /** `tell`: once for each `begin`, when it has ended. */
  constructor(machineCode: Pick<UsedCode, 'decode' | 'dropRewritten'>, tell: () => void) {
    this.#machineCode = machineCode;
    this.#tell = tell;
  }

  /** In all; one that was written since counts once more. */
  get decodedPages(): number {
    return this.#decodedPages;
  }

  /** Null: what was told before, as far as it came or was written since. */
  begin(usedCode: Uint8Array | null): void {
    this.#end();
    if (this.#isOver) {
      this.#tell();
      return;
    }
    this.#usedCode = usedCode ?? this.#usedCode;
    this.#machineCode.dropRewritten();
    this.#next = 0;
  }

  /** A piece of it; false if there is none. */
  goOn(): boolean {
    if (this.#next === null) return false;
    const usedCode = this.#usedCode ?? new Uint8Array(0);
    const { decoded, next } = this.#machineCode.decode(usedCode, this.#next, pagesAtOnce);
    this.#next = next;
    this.#decodedPages += decoded;
    if (next * usedCodePageBytes >= usedCode.length) this.#end();
    return true;
  }

  /** The guest takes its first step after this. */
  finish(): void {
    if (this.#isOver) return;
    this.#end();
    this.#usedCode = null;
    this.#isOver = true;
    this.#machineCode.dropRewritten();
  }

  #end(): void {
    if (this.#next === null) return;
    this.#next = null;
    this.#tell();
  }
}
