/**
 * Credits for bulk: at most `windowBytes` may be on their way, and only what the receiver has *applied* makes room.
 * Bytes in socket buffers count as on their way; so both ends stay bounded whatever the network does (design:
 * Moving memory, "Credits, not bufferedAmount"). Pure accounting; who waits is the caller's business.
 */
import { invariant } from '@skein/shared';

export class SendCredits {
  readonly windowBytes: number;
  #onTheWayBytes = 0;

  constructor(windowBytes: number) {
    invariant(windowBytes >= 4, 'a window has at least 4 bytes');
    this.windowBytes = windowBytes;
  }

  get onTheWayBytes(): number {
    return this.#onTheWayBytes;
  }

  /**
   * A frame may go if it fits; also if less than a quarter of the window is on its way, for all of that may be
   * applied already and not be acknowledged before more comes. So a large frame waits, but never for ever.
   */
  maySend(bytes: number): boolean {
    if (this.#onTheWayBytes < acknowledgeFromBytes(this.windowBytes)) return true;
    return this.#onTheWayBytes + bytes <= this.windowBytes;
  }

  sent(bytes: number): void {
    invariant(this.maySend(bytes), 'a sender of bulk waits for credits');
    this.#onTheWayBytes += bytes;
  }

  /** Returns false if the peer acknowledges what was never sent: it breaks the protocol. */
  acknowledged(bytes: number): boolean {
    if (!(bytes >= 0 && bytes <= this.#onTheWayBytes)) return false;
    this.#onTheWayBytes -= bytes;
    return true;
  }
}

/** The receiver's side: says how much to acknowledge, each quarter of the window. */
export class ReceiveCredits {
  readonly #thresholdBytes: number;
  #appliedBytes = 0;

  constructor(windowBytes: number) {
    invariant(windowBytes >= 4, 'a window has at least 4 bytes');
    this.#thresholdBytes = acknowledgeFromBytes(windowBytes);
  }

  /** Bytes to acknowledge now; 0 for not yet. */
  applied(bytes: number): number {
    this.#appliedBytes += bytes;
    if (this.#appliedBytes < this.#thresholdBytes) return 0;
    return this.flush();
  }

  /** All that was applied and not acknowledged. */
  flush(): number {
    const bytes = this.#appliedBytes;
    this.#appliedBytes = 0;
    return bytes;
  }
}

function acknowledgeFromBytes(windowBytes: number): number {
  return Math.floor(windowBytes / 4);
}
