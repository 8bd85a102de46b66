/** One waiter that is woken by a change, or by the time. */
export class WakeUp {
  #wake: () => void = () => {};

  /** Something changed. */
  wake(): void {
    this.#wake();
  }

  /** Resolves at the next `wake`, at the latest after so long. */
  wait(waitMsMax: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(() => this.#wake(), waitMsMax);
      this.#wake = () => {
        clearTimeout(timer);
        this.#wake = () => {};
        resolve();
      };
    });
  }
}
