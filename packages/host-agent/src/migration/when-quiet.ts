/**
 * Does something as soon as a turn of the event loop has passed in which nothing stirred: sooner than any timer, which takes
 * a millisecond, and not as often as what stirs.
 */
export class WhenQuiet {
  readonly #act: () => void;
  #isWaiting = false;
  #hasStirred = false;

  constructor(act: () => void) {
    this.#act = act;
  }

  stir(): void {
    this.#hasStirred = true;
    if (this.#isWaiting) return;
    this.#isWaiting = true;
    setImmediate(this.#look);
  }

  readonly #look = (): void => {
    if (this.#hasStirred) {
      this.#hasStirred = false;
      setImmediate(this.#look);
      return;
    }
    this.#isWaiting = false;
    this.#act();
  };
}
