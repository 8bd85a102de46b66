/** The messages of a WebSocket during its handshake, one by one, with a deadline; then it is handed on. */
import { type ErrorCode, ErrorCodeSchema, OperationError, protocolVersions } from '@skein/shared';
import type { RawData, WebSocket } from 'ws';

export class SocketMessages {
  readonly #socket: WebSocket;
  readonly #queue: Uint8Array[] = [];
  #wake: (() => void) | null = null;
  #end: OperationError | null = null;

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

  readonly #onMessage = (data: RawData, isBinary: boolean): void => {
    this.#queue.push(toBytes(data, isBinary));
    this.#wake?.();
  };

  readonly #onClose = (code: number, reason: Buffer): void => {
    const why = reason.length > 0 ? reason.toString() : `code ${code}`;
    // A listener of ours names the stable code for which it refuses.
    const known = ErrorCodeSchema.safeParse(why);
    this.#end ??= new OperationError({
      code: known.success ? known.data : 'link.closed',
      message: (known.success ? refusals[known.data] : undefined) ?? `the peer closed the link: ${why}`,
    });
    this.#wake?.();
  };

  readonly #onError = (cause: Error): void => {
    this.#end ??= describeSocketError(cause);
    this.#wake?.();
  };
}

const { min, max } = protocolVersions;
/** What a listener's code means to the one who dialed. */
const refusals: Partial<Record<ErrorCode, string>> = {
  'link.unauthenticated': 'the peer does not count this program to its cluster',
  'link.protocol-version': `the peer speaks none of the protocol versions ${min} to ${max} that this build speaks: update the older one`,
};

/** ws names breaches of RFC 6455 WS_ERR_*; what is left is the network's. */
export function describeSocketError(cause: Error & { readonly code?: string }): OperationError {
  if (cause instanceof OperationError) return cause;
  const { code = '', message } = cause;
  if (code === 'WS_ERR_UNSUPPORTED_MESSAGE_LENGTH')
    return new OperationError({
      code: 'link.too-large',
      message: `a message is too large: ${message}`,
      cause,
    });
  if (code.startsWith('WS_ERR_'))
    return new OperationError({ code: 'link.bad-message', message: `not a WebSocket: ${message}`, cause });
  return new OperationError({ code: 'link.closed', message: `the link broke: ${message}`, cause });
}

/** ws gives nodebuffers (binaryType default): one Buffer a message. Text is never ours: it has no kind byte. */
export function toBytes(data: RawData, isBinary: boolean): Uint8Array {
  if (!isBinary) return new Uint8Array(0);
  if (Array.isArray(data)) return Buffer.concat(data);
  return data instanceof ArrayBuffer ? new Uint8Array(data) : data;
}
