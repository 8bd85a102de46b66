/** A bandwidth cap as a token bucket: how long the next bytes must wait. */
const burstMs = 20;

export class SendPace {
  readonly #bytesPerMs: number;
  #tokens: number;
  #filledAtMs: number;

  constructor(bytesPerS: number, nowMs: number) {
    this.#bytesPerMs = bytesPerS / 1000;
    this.#tokens = this.#bytesPerMs * burstMs;
    this.#filledAtMs = nowMs;
  }

  /** Takes so many bytes; returns how long to wait before they are sent, in ms. A single frame may be more than the burst. */
  take(bytes: number, nowMs: number): number {
    const filled = this.#tokens + (nowMs - this.#filledAtMs) * this.#bytesPerMs;
    this.#filledAtMs = nowMs;
    this.#tokens = Math.min(filled, this.#bytesPerMs * burstMs) - bytes;
    return Math.max(0, -this.#tokens / this.#bytesPerMs);
  }
}
