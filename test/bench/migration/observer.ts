/**
 * The observer: hears a guest's console and notes when, on this process' monotonic clock. It is the same for both sides and
 * equally far from both: one hop away from the process that runs the guest, QEMU's console a pipe, Skein's a link.
 */

import { WakeUp } from '../wake-up.ts';
import { type Tick, ticksIn } from './tick-gaps.ts';

/** More than any line that it looks for; a guest gone wild must not fill the memory. */
const unfinishedCharactersMax = 4096;
const textCharactersMax = 1 << 20;

export class ConsoleObserver {
  #ticks: Tick[] = [];
  #unfinished = '';
  #text = '';
  readonly #change = new WakeUp();

  /** To be called with each piece of the console as it arrives. */
  hear(text: string): void {
    const atMs = performance.now();
    const joined = this.#unfinished + text;
    const end = joined.lastIndexOf('\n') + 1;
    const lines = joined.slice(0, end);
    this.#unfinished = joined.slice(end).slice(-unfinishedCharactersMax);
    this.#ticks.push(...ticksIn(lines, atMs));
    this.#text = (this.#text + lines.replaceAll(/^t \d+ \d+\r?\n/gm, '')).slice(-textCharactersMax);
    this.#change.wake();
  }

  /** Since `forget`. */
  get ticks(): readonly Tick[] {
    return this.#ticks;
  }

  /** What the console said since `forget`, whole lines, without the ticks that stand alone. */
  get text(): string {
    return this.#text;
  }

  forget(): void {
    this.#ticks = [];
    this.#text = '';
  }

  /** Resolves with what `look` finds, asked at each piece of console. Throws at the deadline. */
  async until<T>(what: string, deadlineMs: number, look: () => T | null | undefined | false): Promise<T> {
    const found = await this.within(deadlineMs, look);
    if (found === null)
      throw new Error(`${what}: not within ${deadlineMs} ms; the console ends: ${this.#text.slice(-500)}`);
    return found;
  }

  /** As `until`, but null at the deadline. */
  async within<T>(deadlineMs: number, look: () => T | null | undefined | false): Promise<T | null> {
    const endsAtMs = performance.now() + deadlineMs;
    for (;;) {
      const found = look();
      if (found !== null && found !== undefined && found !== false) return found;
      const leftMs = endsAtMs - performance.now();
      if (leftMs <= 0) return null;
      await this.#change.wait(leftMs);
    }
  }
}
