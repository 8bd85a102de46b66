/**
 * One authenticated WebSocket between two of our programs: requests with deadlines, notices, and bulk. Every message
 * is checked against its schema before anything acts on it; whatever breaks the protocol closes this link with a
 * stable code and nothing else.
 */
import {
  type DirectionSchemas,
  type ErrorCode,
  fromProblem,
  invariant,
  OperationError,
  type ProtocolDefinition,
  toProblem,
} from '@skein/shared';
import type { RawData, WebSocket } from 'ws';
import { z } from 'zod';
import { putFrameHeader } from './frame-header.ts';
import type { Identity } from './handshake.ts';
import type {
  Incoming,
  NoticeInput,
  NoticeName,
  NoticeOf,
  Outgoing,
  ReplyOf,
  RequestInput,
  RequestName,
  RequestOf,
  Side,
} from './protocol-types.ts';
import { describeSocketError, toBytes } from './socket-messages.ts';
import { badMessage, bulkKind, ControlMessage, decodeControl, encodeControl, encodeProblem } from './wire.ts';

export interface CloseReason {
  readonly code: ErrorCode | 'closed';
  readonly message: string;
}

/** A method for every request and notice that the other side may send. */
export interface Handlers<P extends ProtocolDefinition, S extends Side> {
  readonly requests: {
    readonly [N in RequestName<Incoming<P, S>>]: (
      body: RequestOf<Incoming<P, S>, N>,
      link: Link<P, S>,
    ) => Promise<ReplyOf<Incoming<P, S>, N>> | ReplyOf<Incoming<P, S>, N>;
  };
  readonly notices: {
    readonly [N in NoticeName<Incoming<P, S>>]: (body: NoticeOf<Incoming<P, S>, N>, link: Link<P, S>) => void;
  };
}

export interface LinkOptions<P extends ProtocolDefinition, S extends Side> {
  readonly protocol: P;
  readonly side: S;
  readonly handlers: Handlers<P, S>;
  /** The TCP or TLS connection below, for counting and for bulk in place. */
  readonly connection: { readonly bytesWritten: number; write(bytes: Uint8Array): unknown };
  /** Requests that may be unanswered at once, in each direction. */
  readonly requestsInFlightMax?: number;
  /** Bytes that may wait in our socket before the peer counts as one that never reads. */
  readonly unsentBytesMax?: number;
}

interface Pending {
  readonly name: string;
  readonly reply: z.ZodType;
  readonly resolve: (body: unknown) => void;
  readonly reject: (error: Error) => void;
  readonly timer: NodeJS.Timeout;
}

const requestsInFlightMaxDefault = 256;
const unsentBytesMaxDefault = 16 << 20;
/** After our close frame the peer has this long to answer it. */
const closeDeadlineMs = 500;
/** setTimeout's own limit; a longer delay would fire at once. */
const deadlineMsMax = 2 ** 31 - 1;
/** A silent peer is asked for a sign of life this often, and given up after two silences (RFC 6455, "Ping"). */
const pingPeriodMs = 5000;

export class Link<P extends ProtocolDefinition, S extends Side> {
  readonly peer: Identity;
  /** Resolves once, with the reason; never rejects. */
  readonly closed: Promise<CloseReason>;
  /**
   * Bulk frames, in order, `frame[0]` being the bulk kind. Without a listener they break the protocol. A dialer that
   * gave a `bulkBuffer` gets views that are valid during the call only.
   */
  onBulk: ((frame: Uint8Array) => void) | null = null;
  readonly #socket: WebSocket;
  readonly #options: LinkOptions<P, S>;
  readonly #outgoing: DirectionSchemas;
  readonly #incoming: DirectionSchemas;
  readonly #pending = new Map<number, Pending>();
  readonly #pingTimer: NodeJS.Timeout;
  #terminateTimer: NodeJS.Timeout | null = null;
  /** What came right behind the handshake: said before anything that comes later, after `onLink`. */
  #early: Uint8Array[] | null;
  #heard = true;
  #lastId = 0;
  #inFlight = 0;
  #reason: CloseReason | null = null;
  #resolveClosed: (reason: CloseReason) => void = () => {};

  constructor(socket: WebSocket, peer: Identity, options: LinkOptions<P, S>, early: readonly Uint8Array[]) {
    const isDialer = options.side === 'dialer';
    this.peer = peer;
    this.#socket = socket;
    this.#options = options;
    this.#outgoing = isDialer ? options.protocol.fromDialer : options.protocol.fromListener;
    this.#incoming = isDialer ? options.protocol.fromListener : options.protocol.fromDialer;
    this.closed = new Promise((resolve) => {
      this.#resolveClosed = resolve;
    });
    this.#early = [...early];
    socket.on('message', (data: RawData, isBinary: boolean) => this.#arrived(toBytes(data, isBinary)));
    socket.on('pong', () => {
      this.#heard = true;
    });
    socket.on('close', (code, reason) => this.#ended(code, reason.toString()));
    socket.on('error', (error) => {
      const { code, message } = describeSocketError(error);
      this.#reason ??= { code, message };
      // ws has told the peer why in a close frame; a peer that does not take it is not waited for.
      this.#terminateLater();
    });
    this.#pingTimer = setInterval(() => this.#ping(), pingPeriodMs);
    this.#pingTimer.unref();
    setImmediate(() => this.#begin());
  }

  get isOpen(): boolean {
    return this.#reason === null && this.#socket.readyState === this.#socket.OPEN;
  }

  /** Bytes accepted for sending that the system has not taken yet. */
  get unsentBytes(): number {
    return this.#socket.bufferedAmount;
  }

  /**
   * Bytes written since the connection began, HTTP and WebSocket framing included. TLS adds 22 bytes to each record of at
   * most 16 KiB (RFC 8446, 5.2), which are not counted.
   */
  get bytesWritten(): number {
    return this.#options.connection.bytesWritten;
  }

  /** @throws OperationError what the peer answered, or link.closed, link.timeout, link.overflow */
  request<N extends RequestName<Outgoing<P, S>>>(
    name: N,
    body: RequestInput<Outgoing<P, S>, N>,
    { deadlineMs }: { readonly deadlineMs: number },
  ): Promise<ReplyOf<Outgoing<P, S>, N>> {
    const schemas = this.#outgoing.requests[name];
    invariant(schemas !== undefined, `${this.#options.protocol.name} has a request ${name}`);
    invariant(deadlineMs > 0 && deadlineMs <= deadlineMsMax, 'a request has a deadline');
    if (!this.isOpen) return Promise.reject(this.#closedError());
    if (this.#pending.size >= this.#requestsMax) {
      const message = `${this.peer.role} ${this.peer.name} owes ${this.#pending.size} answers already`;
      return Promise.reject(new OperationError({ code: 'link.overflow', message }));
    }
    const id = ++this.#lastId;
    const frame = encodeControl({ type: 'request', id, name, body });
    const answer = new Promise<unknown>((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#pending.delete(id);
        const message = `${this.peer.role} ${this.peer.name} did not answer ${name} within ${deadlineMs} ms`;
        reject(new OperationError({ code: 'link.timeout', message }));
      }, deadlineMs);
      this.#pending.set(id, { name, reply: schemas.reply, resolve, reject, timer });
    });
    this.#send(frame);
    return answer as Promise<ReplyOf<Outgoing<P, S>, N>>;
  }

  /** Says something that needs no answer; lost if the link is closed. */
  notify<N extends NoticeName<Outgoing<P, S>>>(name: N, body: NoticeInput<Outgoing<P, S>, N>): void {
    invariant(
      this.#outgoing.notices[name] !== undefined,
      `${this.#options.protocol.name} has a notice ${name}`,
    );
    if (this.isOpen) this.#send(encodeControl({ type: 'notice', name, body }));
  }

  /**
   * Sends a frame whose first byte is the bulk kind. It is not copied: leave it alone until the peer acknowledged it.
   * What bounds the bytes on their way are the sender's credits; without them the link closes at `unsentBytesMax`.
   * `sent` is called when the system took it.
   */
  sendBulk(frame: Uint8Array, sent?: (error?: Error) => void): void {
    invariant(frame[0] === bulkKind, 'a bulk frame begins with its kind');
    if (this.#isOverflowing()) return;
    this.#socket.send(frame, { binary: true }, (error) => sent?.(error ?? undefined));
  }

  /**
   * The same for a frame in front of which `frameHeadroomBytes` of its memory are free: its WebSocket header is put there, and both
   * go to the system as one piece, past ws (docs/decisions/0014-bulk-is-sent-in-place.md). A listener's only: what a dialer sends is masked.
   */
  sendBulkInPlace(frame: Uint8Array): void {
    invariant(frame[0] === bulkKind, 'a bulk frame begins with its kind');
    invariant(this.#options.side === 'listener', 'a dialer masks what it sends (RFC 6455, 5.3)');
    if (this.isOpen && !this.#isOverflowing()) this.#options.connection.write(putFrameHeader(frame));
  }

  /** For the reader of the connection: a bulk frame that is valid during this call only. */
  receiveBulkInPlace(frame: Uint8Array): void {
    this.#arrived(this.#early === null ? frame : frame.slice());
  }

  close(message = 'closed'): void {
    this.#finish({ code: 'closed', message });
  }

  #ping(): void {
    if (!this.#heard) {
      this.#reason ??= { code: 'link.timeout', message: 'the peer gives no sign of life' };
      this.#socket.terminate();
      return;
    }
    this.#heard = false;
    if (this.isOpen) this.#socket.ping();
  }

  get #requestsMax(): number {
    return this.#options.requestsInFlightMax ?? requestsInFlightMaxDefault;
  }

  #send(frame: Uint8Array): void {
    if (!this.#isOverflowing()) this.#socket.send(frame, { binary: true });
  }

  /** Also ends the link, if its peer does not read. */
  #isOverflowing(): boolean {
    if (this.#socket.bufferedAmount <= (this.#options.unsentBytesMax ?? unsentBytesMaxDefault)) return false;
    const message = `${this.peer.role} ${this.peer.name} does not read what it is sent`;
    this.#finish({ code: 'link.overflow', message });
    return true;
  }

  #begin(): void {
    const early = this.#early ?? [];
    this.#early = null;
    for (const frame of early) this.#receive(frame);
    if (this.#socket.readyState === this.#socket.CLOSED) this.#ended(1006, '');
  }

  #arrived(frame: Uint8Array): void {
    if (this.#early === null) this.#receive(frame);
    else this.#early.push(frame);
  }

  #receive(frame: Uint8Array): void {
    this.#heard = true;
    if (this.#reason !== null) return;
    try {
      if (frame[0] === bulkKind) this.#receiveBulk(frame);
      else this.#receiveControl(frame);
    } catch (error) {
      this.#fail(error);
    }
  }

  #fail(error: unknown): void {
    const { code, message } = toProblem(error);
    this.#finish({ code, message });
  }

  #receiveBulk(frame: Uint8Array): void {
    if (this.onBulk === null) throw badMessage('bulk where none is expected');
    this.onBulk(frame);
  }

  #receiveControl(frame: Uint8Array): void {
    const parsed = ControlMessage.safeParse(decodeControl(frame));
    if (!parsed.success) throw badMessage('a control message has another shape', parsed.error);
    const message: ControlMessage = parsed.data;
    switch (message.type) {
      case 'request':
        void this.#serve(message.id, message.name, message.body);
        break;
      case 'notice':
        this.#hear(message.name, message.body);
        break;
      case 'reply':
        this.#settle(message.id, (pending) =>
          pending.resolve(check(pending.reply, message.body, pending.name)),
        );
        break;
      case 'problem':
        this.#settle(message.id, (pending) => pending.reject(fromProblem(message.problem)));
        break;
    }
  }

  #hear(name: string, body: unknown): void {
    const schema = own(this.#incoming.notices, name);
    if (schema === undefined) throw badMessage(`there is no notice ${name.slice(0, 40)}`);
    const handlers = this.#options.handlers.notices as Record<
      string,
      (body: unknown, link: Link<P, S>) => unknown
    >;
    const outcome = handlers[name]?.(check(schema, body, name), this);
    // A handler that is async after all fails as a synchronous one does: it ends this link, not the process.
    if (outcome instanceof Promise) outcome.catch((error: unknown) => this.#fail(error));
  }

  async #serve(id: number, name: string, body: unknown): Promise<void> {
    const schemas = own(this.#incoming.requests, name);
    let checked: unknown;
    try {
      if (schemas === undefined) throw badMessage(`there is no request ${name.slice(0, 40)}`);
      checked = check(schemas.request, body, name);
      if (this.#inFlight >= this.#requestsMax) {
        throw new OperationError({
          code: 'link.overflow',
          message: 'the peer has too many requests in flight',
        });
      }
    } catch (error) {
      this.#fail(error);
      return;
    }
    this.#inFlight += 1;
    const handlers = this.#options.handlers.requests as Record<
      string,
      (body: unknown, link: Link<P, S>) => unknown
    >;
    try {
      const reply = await handlers[name]?.(checked, this);
      if (this.isOpen) this.#send(encodeControl({ type: 'reply', id, body: reply }));
    } catch (error) {
      if (this.isOpen) this.#send(encodeProblem(id, toProblem(error)));
    } finally {
      this.#inFlight -= 1;
    }
  }

  #settle(id: number, settle: (pending: Pending) => void): void {
    const pending = this.#pending.get(id);
    if (pending === undefined) return; // Its deadline passed.
    this.#pending.delete(id);
    clearTimeout(pending.timer);
    try {
      settle(pending);
    } catch (error) {
      pending.reject(error instanceof Error ? error : new Error(String(error)));
      throw error;
    }
  }

  #finish(reason: CloseReason): void {
    if (this.#reason !== null) return;
    this.#reason = reason;
    this.#socket.close(1000, `${reason.code}: ${reason.message}`.slice(0, 100).replace(/[^\x20-\x7e]/g, '?'));
    this.#terminateLater();
  }

  #terminateLater(): void {
    this.#terminateTimer ??= setTimeout(() => this.#socket.terminate(), closeDeadlineMs).unref();
  }

  #ended(code: number, text: string): void {
    clearInterval(this.#pingTimer);
    // A timer that stands keeps all that its link's handlers refer to: a migration's, its guest's memory.
    if (this.#terminateTimer !== null) clearTimeout(this.#terminateTimer);
    this.#reason ??= {
      code: 'link.closed',
      message: text.length > 0 ? text : `the connection ended (${code})`,
    };
    const error = this.#closedError();
    for (const pending of this.#pending.values()) {
      clearTimeout(pending.timer);
      pending.reject(error);
    }
    this.#pending.clear();
    this.#resolveClosed(this.#reason);
  }

  #closedError(): OperationError {
    const why = this.#reason?.message ?? 'the connection ended';
    return new OperationError({
      code: 'link.closed',
      message: `the link to ${this.peer.role} ${this.peer.name} is closed: ${why}`,
    });
  }
}

function check(schema: z.ZodType, body: unknown, name: string): unknown {
  const parsed = schema.safeParse(body);
  if (!parsed.success)
    throw badMessage(`${name}: ${z.prettifyError(parsed.error).slice(0, 500)}`, parsed.error);
  return parsed.data;
}

function own<T>(table: Readonly<Record<string, T>>, name: string): T | undefined {
  return Object.hasOwn(table, name) ? table[name] : undefined;
}
