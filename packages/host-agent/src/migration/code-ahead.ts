/**
 * The code that a guest on its way uses, as its source tells it: the vCPU's thread, which has nothing to do before the lease has
 * passed, decodes what of it is here. What is written afterwards it decodes anew.
 */
import type { PageReceiver } from './page-receiver.ts';
import type { VmLink } from './vm-link.ts';

export class CodeAhead {
  readonly #vm: Pick<VmLink, 'ask'>;
  readonly #receiver: PageReceiver;
  /** Told by the source, and not passed on yet. */
  #usedCode: Uint8Array | null = null;
  #isKnown = false;
  /** One at a time, whatever the source does. */
  #isAtWork = false;
  #isDue = false;
  /** In which it was last decoded. */
  #round = 0;

  constructor(vm: Pick<VmLink, 'ask'>, receiver: PageReceiver) {
    this.#vm = vm;
    this.#receiver = receiver;
  }

  get isKnown(): boolean {
    return this.#isKnown;
  }

  learn(usedCode: Uint8Array): void {
    this.#isKnown = true;
    this.#usedCode = usedCode;
    this.decode();
  }

  /** Pages came: the first of a round are the sign that all of the one before are here. */
  pagesCame(): void {
    if (this.#receiver.round > this.#round) this.decode();
  }

  decode(): void {
    if (!this.#isKnown) return;
    this.#round = this.#receiver.round;
    if (this.#isAtWork) this.#isDue = true;
    else void this.#decode();
  }

  /** A guest that arrives without it arrives as well. */
  async #decode(): Promise<void> {
    this.#isAtWork = true;
    const usedCode = this.#usedCode;
    this.#usedCode = null;
    await this.#vm.ask({ type: 'decode-ahead', usedCode }, 'decoded-ahead').catch(() => {});
    this.#isAtWork = false;
    if (!this.#isDue) return;
    this.#isDue = false;
    this.decode();
  }
}
