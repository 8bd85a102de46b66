/** Named timers that end together. */
export class Deadlines {
  readonly #timers = new Map<string, NodeJS.Timeout>();

  set(name: string, ms: number, onExpired: () => void): void {
    clearTimeout(this.#timers.get(name));
    this.#timers.set(name, setTimeout(onExpired, ms));
  }

  clear(): void {
    for (const timer of this.#timers.values()) clearTimeout(timer);
    this.#timers.clear();
  }
}
