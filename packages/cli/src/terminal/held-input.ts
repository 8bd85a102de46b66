/**
 * Piped input for a machine that still boots: a kernel throws away what comes before its shell listens, so it is held
 * until the guest says that it is ready, or, should it not say so, until its console has fallen silent.
 */
const silenceMs = 3000;
/** From the ready line to the shell's prompt. */
const promptMs = 500;
const heldBytesMax = 1 << 20;

export interface HeldInputOptions {
  /** The guest's own words for being ready. */
  readonly readyMarker: string;
  readonly deliver: (bytes: Uint8Array) => void;
}

export class HeldInput {
  readonly #options: HeldInputOptions;
  #held: Uint8Array[] | null = [];
  #heldBytes = 0;
  #tail = '';
  #isReady = false;
  #timer: NodeJS.Timeout | undefined;

  constructor(options: HeldInputOptions) {
    this.#options = options;
  }

  /** Beyond a MiB that nobody listens to the rest is lost, as on a real line. */
  type(bytes: Uint8Array): void {
    if (this.#held === null) this.#options.deliver(bytes);
    else if (this.#heldBytes + bytes.length <= heldBytesMax) {
      this.#held.push(bytes);
      this.#heldBytes += bytes.length;
    }
  }

  /** What the guest says: silence is counted from here. */
  heard(bytes: Uint8Array): void {
    if (this.#held === null) return;
    this.#tail = (this.#tail + Buffer.from(bytes).toString('latin1')).slice(-4096);
    this.#isReady ||= this.#tail.includes(this.#options.readyMarker);
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#release(), this.#isReady ? promptMs : silenceMs);
  }

  close(): void {
    clearTimeout(this.#timer);
  }

  #release(): void {
    const held = this.#held ?? [];
    this.#held = null;
    for (const bytes of held) this.#options.deliver(bytes);
  }
}
