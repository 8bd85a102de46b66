/**
 * Moves a listener to where its network is now, again and again until it listens there: an address that has just come, or a
 * port that somebody else holds for a moment, may not be to be had at the first attempt.
 */
import { setTimeout as delay } from 'node:timers/promises';

const pauseMs = 500;

export interface RepeatedMoveOptions {
  /** One attempt. */
  readonly move: () => Promise<void>;
  readonly onMoved?: () => void;
  readonly onFailed: (error: unknown) => void;
}

export class RepeatedMove {
  readonly #options: RepeatedMoveOptions;
  /** A later move takes over from an earlier one. */
  #turn = 0;

  constructor(options: RepeatedMoveOptions) {
    this.#options = options;
  }

  /** The network has changed. Returns at once. */
  begin(): void {
    this.#turn += 1;
    void this.#repeat(this.#turn);
  }

  async #repeat(turn: number): Promise<void> {
    const { move, onMoved, onFailed } = this.#options;
    while (turn === this.#turn) {
      try {
        await move();
        onMoved?.();
        return;
      } catch (error) {
        onFailed(error);
      }
      await delay(pauseMs, undefined, { ref: false });
    }
  }

  /** No further attempt is made. */
  stop(): void {
    this.#turn += 1;
  }
}
