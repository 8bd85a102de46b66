/**
 * A client of QEMU's machine protocol over a Unix socket: commands one after the other, and the events of migrations.
 * Source: QEMU, docs/interop/qmp-spec.rst, "Protocol Specification"; qapi/migration.json. Omitted: out-of-band commands.
 */
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';

export interface QmpEvent {
  readonly event: string;
  readonly data: Readonly<Record<string, unknown>>;
}

const connectDeadlineMs = 10_000;
const connectPauseMs = 10;
const answerDeadlineMs = 10_000;
/** A message of ours has a few KiB. */
const messageCharactersMax = 1 << 20;

/** Takes the stream apart: each message is a line. */
export class QmpFraming {
  #rest = '';

  /** The messages that are whole with this piece. @throws Error for a line that is no JSON object, and one without end */
  push(piece: string): Record<string, unknown>[] {
    const lines = (this.#rest + piece).split('\n');
    this.#rest = lines.pop() ?? '';
    if (this.#rest.length > messageCharactersMax)
      throw new Error(`QMP: a message of more than ${messageCharactersMax} characters`);
    return lines.filter((line) => line.trim() !== '').map(parseMessage);
  }
}

function parseMessage(line: string): Record<string, unknown> {
  const message: unknown = JSON.parse(line);
  if (typeof message !== 'object' || message === null || Array.isArray(message))
    throw new Error(`QMP: no message: ${line.slice(0, 100)}`);
  return message as Record<string, unknown>;
}

interface Asked {
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: Error) => void;
}

export class QmpClient {
  readonly #socket: Socket;
  readonly #framing = new QmpFraming();
  readonly #asked = new Map<number, Asked>();
  readonly #listeners = new Set<(event: QmpEvent) => void>();
  #number = 0;

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.setEncoding('utf8').on('data', (piece: string) => {
      for (const message of this.#framing.push(piece)) this.#hear(message);
    });
    socket.on('error', () => {}); // `close` follows.
    socket.on('close', () => this.#failAll(new Error('QEMU has closed its QMP socket')));
  }

  /** Waits for the socket to be there, and for QEMU's readiness to take commands. */
  static async open(path: string): Promise<QmpClient> {
    const client = new QmpClient(await connected(path));
    await client.execute('qmp_capabilities');
    return client;
  }

  /** @throws Error with QEMU's own description */
  execute(command: string, args: Readonly<Record<string, unknown>> = {}): Promise<unknown> {
    this.#number += 1;
    const id = this.#number;
    return new Promise((resolve, reject) => {
      const fail = (error: Error): void => reject(new Error(`${command}: ${error.message}`));
      const timer = setTimeout(() => {
        this.#asked.delete(id);
        fail(new Error(`no answer within ${answerDeadlineMs} ms`));
      }, answerDeadlineMs);
      this.#asked.set(id, {
        resolve: (value) => {
          clearTimeout(timer);
          resolve(value);
        },
        reject: (error) => {
          clearTimeout(timer);
          fail(error);
        },
      });
      this.#socket.write(`${JSON.stringify({ execute: command, arguments: args, id })}\n`);
    });
  }

  /** Returns how to stop listening. */
  onEvent(listener: (event: QmpEvent) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  close(): void {
    this.#socket.destroy();
  }

  #hear(message: Record<string, unknown>): void {
    if (typeof message.event === 'string') {
      const data = (message.data ?? {}) as QmpEvent['data'];
      for (const listener of this.#listeners) listener({ event: message.event, data });
      return;
    }
    const asked = this.#asked.get(Number(message.id));
    if (asked === undefined) return; // QEMU's greeting has no id.
    this.#asked.delete(Number(message.id));
    const error = message.error as { desc?: string } | undefined;
    if (error === undefined) asked.resolve(message.return);
    else asked.reject(new Error(error.desc ?? 'refused'));
  }

  #failAll(error: Error): void {
    for (const { reject } of this.#asked.values()) reject(error);
    this.#asked.clear();
  }
}

/** QEMU makes its socket a moment after its start. */
async function connected(path: string): Promise<Socket> {
  const endsAtMs = performance.now() + connectDeadlineMs;
  for (;;) {
    const socket = connect(path);
    try {
      await once(socket, 'connect');
      return socket;
    } catch (cause) {
      socket.destroy();
      if (performance.now() > endsAtMs)
        throw new Error(`no QMP socket at ${path} within ${connectDeadlineMs} ms`, { cause });
      await delay(connectPauseMs);
    }
  }
}
