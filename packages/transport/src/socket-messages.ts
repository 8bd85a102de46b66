/** The messages of a WebSocket during its handshake, one by one, with a deadline; then it is handed on. */
import { OperationError } from '@skein/shared';
import type { RawData, WebSocket } from 'ws';

export class SocketMessages {
  readonly #socket: WebSocket;
  readonly #queue: Uint8Array[] = [];
  #wake: (() => void) | null = null;
  #end: Error | null = null;

  constructor(socket: WebSocket) {
    this.#socket = socket;
    socket.on('message', this.#onMessage);
    socket.on('close', this.#onClose);
    socket.on('error', this.#onError);
  }

  /** @throws OperationError link.closed, link.timeout */
  async next(deadlineMs: number): Promise<Uint8Array> {
    const endsAt = performance.now() + deadlineMs;
    for (;;) {
      const message = this.#queue.shift();
      if (message !== undefined) return message;
      if (this.#end !== null) throw this.#end;
      const leftMs = endsAt - performance.now();
      if (leftMs <= 0) {
        throw new OperationError({
          code: 'link.timeout',
          message: 'the peer did not complete the handshake in time',
        });
      }
      await this.#wait(leftMs);
    }
  }

  /** Stops listening; what came meanwhile is returned in order. */
  release(): readonly Uint8Array[] {
    this.#socket.off('message', this.#onMessage);
    this.#socket.off('close', this.#onClose);
    this.#socket.off('error', this.#onError);
    return this.#queue.splice(0);
  }

  #wait(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(() => this.#wake?.(), ms);
      this.#wake = () => {
        clearTimeout(timer);
        this.#wake = null;
        resolve();
      };
    });
  }

  readonly #onMessage = (data: RawData): void => {
    this.#queue.push(toBytes(data));
    this.#wake?.();
  };

  readonly #onClose = (code: number, reason: Buffer): void => {
    const why = reason.length > 0 ? reason.toString() : `code ${code}`;
    this.#end = new OperationError({ code: 'link.closed', message: `the peer closed the link: ${why}` });
    this.#wake?.();
  };

  readonly #onError = (cause: Error): void => {
    this.#end = new OperationError({
      code: 'link.closed',
      message: `the link broke: ${cause.message}`,
      cause,
    });
    this.#wake?.();
  };
}

/** ws gives nodebuffers (binaryType default): one Buffer a message. */
export function toBytes(data: RawData): Uint8Array {
  if (Array.isArray(data)) return Buffer.concat(data);
  return data instanceof ArrayBuffer ? new Uint8Array(data) : data;
}
