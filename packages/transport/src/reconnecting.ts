/**
 * Keeps one link up: dials again after every end, with growing, jittered pauses. Level-triggered protocols say
 * everything anew in `onLink`, so what was lost on the way heals.
 */
import { type ErrorCode, OperationError, type ProtocolDefinition, toProblem } from '@skein/shared';
import { type DialOptions, dial } from './dial.ts';
import type { CloseReason, Link } from './link.ts';

export interface KeepLinkOptions<P extends ProtocolDefinition> extends DialOptions<P> {
  readonly onLink: (link: Link<P, 'dialer'>) => void;
  /** The link ended or could not be made; called once for each end and each failed attempt. */
  readonly onDown?: (reason: CloseReason) => void;
  readonly pauseMsMin?: number;
  readonly pauseMsMax?: number;
}

const pauseMsMinDefault = 50;
const pauseMsMaxDefault = 2000;
/** A link that ended sooner was no success: a peer that accepts and hangs up at once is not dialed in a storm. */
const successMs = 1000;
/** Whoever watches addresses looks twice a second: a younger link knows what the watcher learns now. */
const freshMs = 500;

/** Whoever asks again with the same credentials and the same build is refused again. */
export function isRefusedForGood(reason: CloseReason): reason is CloseReason & { readonly code: ErrorCode } {
  return reason.code === 'link.unauthenticated' || reason.code === 'link.protocol-version';
}

export class KeptLink<P extends ProtocolDefinition> {
  readonly #options: KeepLinkOptions<P>;
  readonly #stop = new AbortController();
  #link: Link<P, 'dialer'> | null = null;
  #upAt = Number.NEGATIVE_INFINITY;

  constructor(options: KeepLinkOptions<P>) {
    this.#options = options;
    void this.#keep();
  }

  /** Null while it is down. */
  get link(): Link<P, 'dialer'> | null {
    return this.#link?.isOpen === true ? this.#link : null;
  }

  /** The link, or an error at once. @throws OperationError link.closed */
  get(): Link<P, 'dialer'> {
    const { link } = this;
    if (link !== null) return link;
    const { host, port } = this.#options;
    throw new OperationError({ code: 'link.closed', message: `no connection to ${host}:${port} at present` });
  }

  /**
   * Ends the present link, so that the next is dialed: this end's address is another one now. A link that has just been
   * made was dialed from it already.
   */
  redial(reason: string): void {
    if (performance.now() - this.#upAt > freshMs) this.#link?.close(reason);
  }

  close(): void {
    // Without a reason it would make an error, whose stack keeps whoever closes until the link has ended.
    this.#stop.abort('closed');
    this.#link?.close();
  }

  async #keep(): Promise<void> {
    const { pauseMsMin = pauseMsMinDefault, pauseMsMax = pauseMsMaxDefault, onDown } = this.#options;
    let pauseMs = pauseMsMin;
    while (!this.#stop.signal.aborted) {
      const { reason, upMs } = await this.#once();
      if (this.#stop.signal.aborted) return;
      if (upMs >= successMs) pauseMs = pauseMsMin;
      onDown?.(reason);
      await pause(pauseMs * (0.5 + Math.random()), this.#stop.signal);
      pauseMs = Math.min(pauseMs * 2, pauseMsMax);
    }
  }

  /** Never rejects: one link from its beginning to its end. */
  async #once(): Promise<{ readonly reason: CloseReason; readonly upMs: number }> {
    let link: Link<P, 'dialer'> | null = null;
    try {
      link = await dial(this.#options);
      this.#upAt = performance.now();
      this.#link = link;
      if (this.#stop.signal.aborted) link.close();
      else this.#options.onLink(link);
    } catch (error) {
      const { code, message } = toProblem(error);
      link?.close(message);
      if (link === null) return { reason: { code, message }, upMs: 0 };
    }
    const reason = await link.closed;
    this.#link = null;
    return { reason, upMs: performance.now() - this.#upAt };
  }
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      clearTimeout(timer);
      signal.removeEventListener('abort', done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    signal.addEventListener('abort', done);
  });
}
