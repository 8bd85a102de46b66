/**
 * Keeps one link up: dials again after every end, with growing, jittered pauses. Level-triggered protocols say
 * everything anew in `onLink`, so what was lost on the way heals.
 */
import { OperationError, type ProtocolDefinition, toProblem } from '@skein/shared';
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

export class KeptLink<P extends ProtocolDefinition> {
  readonly #options: KeepLinkOptions<P>;
  readonly #stop = new AbortController();
  #link: Link<P, 'dialer'> | null = null;

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

  close(): void {
    this.#stop.abort();
    this.#link?.close();
  }

  async #keep(): Promise<void> {
    let pauseMs = this.#options.pauseMsMin ?? pauseMsMinDefault;
    while (!this.#stop.signal.aborted) {
      const reason = await this.#once(() => {
        pauseMs = this.#options.pauseMsMin ?? pauseMsMinDefault;
      });
      if (this.#stop.signal.aborted) return;
      this.#options.onDown?.(reason);
      await pause(pauseMs * (0.5 + Math.random()), this.#stop.signal);
      pauseMs = Math.min(pauseMs * 2, this.#options.pauseMsMax ?? pauseMsMaxDefault);
    }
  }

  async #once(onUp: () => void): Promise<CloseReason> {
    try {
      const link = await dial(this.#options);
      if (this.#stop.signal.aborted) {
        link.close();
        return { code: 'closed', message: 'closed' };
      }
      this.#link = link;
      onUp();
      this.#options.onLink(link);
      const reason = await link.closed;
      this.#link = null;
      return reason;
    } catch (error) {
      const { code, message } = toProblem(error);
      return { code, message };
    }
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
