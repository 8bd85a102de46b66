/**
 * Heartbeats between the main threads of two processes, on a link of their own: how long a small request waits for
 * its answer while a transfer has the machine. Taken from when a heartbeat was due, so that a late one counts as late.
 */
import { randomBytes } from 'node:crypto';
import { migrationProtocol, OperationError } from '@skein/shared';
import { dial, type Link, listen } from '@skein/transport';
import { loopback } from './transfer-channel.ts';

const periodMs = 10;
const answerDeadlineMs = 5000;
const own = (name: string) => ({ role: 'agent', name, bootId: randomBytes(16).toString('hex') });
const authentication = { kind: 'none' } as const;

function notHere(): never {
  throw new OperationError({ code: 'internal', message: 'this link carries heartbeats only' });
}

/** Answers heartbeats; returns the port. The protocol's question for the clock is a small request as good as any. */
export async function serveHeartbeats(): Promise<number> {
  const listener = await listen({
    host: loopback,
    port: 0,
    protocol: migrationProtocol,
    own: own('target'),
    authentication,
    handlers: {
      requests: {
        'migration.hello': notHere,
        'migration.clock': () => ({ nowNs: process.hrtime.bigint() }),
        'migration.begin': notHere,
        'migration.resumed': notHere,
      },
      notices: { 'migration.refused': notHere, 'pages.wanted': notHere, 'pages.applied': notHere },
    },
  });
  return listener.port;
}

export class Heartbeats {
  readonly #link: Link<typeof migrationProtocol, 'dialer'>;
  #answers: Promise<number>[] = [];
  #timer: NodeJS.Timeout | null = null;

  private constructor(link: Link<typeof migrationProtocol, 'dialer'>) {
    this.#link = link;
  }

  static async dial(port: number): Promise<Heartbeats> {
    return new Heartbeats(
      await dial({
        host: loopback,
        port,
        protocol: migrationProtocol,
        own: own('source'),
        authentication,
        handlers: {
          requests: { 'migration.final': notHere, 'migration.history': notHere },
          notices: {
            'migration.code': notHere,
            'pages.coming': notHere,
            'migration.state': notHere,
            'migration.granted': notHere,
            'migration.aborted': notHere,
          },
        },
      }),
    );
  }

  start(): void {
    this.#answers = [];
    this.#schedule(performance.now() + periodMs);
  }

  /** Ends them; returns the answer times in ms. */
  async stop(): Promise<readonly number[]> {
    if (this.#timer !== null) clearTimeout(this.#timer);
    return await Promise.all(this.#answers);
  }

  #schedule(dueAt: number): void {
    this.#timer = setTimeout(
      () => {
        this.#answers.push(this.#beat(dueAt));
        this.#schedule(dueAt + periodMs);
      },
      Math.max(0, dueAt - performance.now()),
    );
  }

  async #beat(dueAt: number): Promise<number> {
    await this.#link.request('migration.clock', {}, { deadlineMs: answerDeadlineMs });
    return performance.now() - dueAt;
  }
}
