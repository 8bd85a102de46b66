/** Stands between source and target of migrations (transfer-detour.ts leads there): cuts what joins them, or garbles it. */
import { readFileSync } from 'node:fs';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { until } from './until.ts';

interface Ports {
  readonly local: number;
  readonly remote: number;
}

interface Connection extends Ports {
  readonly unreadBytes: number;
}

/** A thread that is not held reads what has come in less. */
const unreadMsMin = 500;

/** More than a message, less than a batch of pages; no frame of a WebSocket begins like this. */
const garbage = Buffer.alloc(20_000, 0xff);

export class TransferRelay {
  readonly #server: Server;
  readonly #ends = new Set<Socket>();
  /** Ports of connections as their far ends have them. */
  readonly #joined: Ports[] = [];
  #isCut = false;
  #isGarbling = false;

  private constructor(server: Server) {
    this.#server = server;
  }

  static async open(): Promise<TransferRelay> {
    const server = createServer();
    const relay = new TransferRelay(server);
    server.on('connection', (target) => relay.#accept(target));
    await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
    return relay;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  /** Ends what is joined; until `heal` nothing is joined any more. */
  cut(): void {
    this.#isCut = true;
    for (const end of this.#ends) end.destroy();
  }

  /** Both ends of what is joined, and until `heal` of what will be, get what nobody sent. */
  garble(): void {
    this.#isGarbling = true;
    for (const end of this.#ends) end.write(garbage);
  }

  /**
   * Nobody is joined any more, and the kernel has told it to whoever was: on a busy machine its loopback may take longer
   * than we do. (Garbage ends a connection too: there is always one side that is not held, and that hangs up.) Who is held
   * and has not read what stands in front of the end, so much that no more fits, hears of it when it goes on.
   */
  async whenAllIsTold(): Promise<void> {
    await until('both ends are gone', () => this.#ends.size === 0);
    await until('their peers have heard of it', this.#isTold());
    this.#joined.length = 0;
  }

  #isTold(): () => boolean {
    let before = '';
    let sameSinceMs = 0;
    return () => {
      const open = openConnections().filter((connection) => this.#isOurs(connection));
      if (open.length === 0) return true;
      const now = JSON.stringify(open);
      if (now !== before) sameSinceMs = performance.now();
      before = now;
      const isStuck = open.every(({ unreadBytes }) => unreadBytes > 0);
      return isStuck && performance.now() - sameSinceMs > unreadMsMin;
    };
  }

  heal(): void {
    this.#isCut = false;
    this.#isGarbling = false;
  }

  async close(): Promise<void> {
    for (const end of this.#ends) end.destroy();
    await new Promise((done) => this.#server.close(done));
  }

  #accept(target: Socket): void {
    target.on('error', () => target.destroy());
    if (this.#isCut) {
      target.destroy();
      return;
    }
    let head = Buffer.alloc(0);
    const hear = (chunk: Buffer): void => {
      head = Buffer.concat([head, chunk]);
      const end = head.indexOf('\n');
      if (end < 0) return;
      target.off('data', hear);
      target.pause();
      const [host = '', port] = head.toString('latin1', 0, end).split(' ');
      this.#join(target, connect({ host, port: Number(port) }), head.subarray(end + 1));
    };
    target.on('data', hear);
  }

  #isOurs({ local, remote }: Ports): boolean {
    return this.#joined.some((ours) => ours.local === local && ours.remote === remote);
  }

  #join(target: Socket, source: Socket, first: Buffer): void {
    source.write(first);
    source.once('connect', () => {
      for (const { remotePort = 0, localPort = 0 } of [source, target])
        this.#joined.push({ local: remotePort, remote: localPort });
    });
    for (const [from, to] of [
      [source, target],
      [target, source],
    ] as const) {
      this.#ends.add(from);
      from.on('error', () => from.destroy());
      from.on('close', () => {
        this.#ends.delete(from);
        to.destroy();
      });
      from.pipe(to);
      if (this.#isGarbling) to.write(garbage);
    }
    if (this.#isCut) this.cut();
  }
}

/** Source: proc(5), /proc/net/tcp; state 01 is ESTABLISHED. */
function openConnections(): Connection[] {
  const lines = readFileSync('/proc/net/tcp', 'utf8').split('\n').slice(1);
  return lines.flatMap((line) => {
    const [, local = '', remote = '', state, queues = ''] = line.trim().split(/\s+/);
    const second = (pair: string): number => Number.parseInt(pair.split(':')[1] ?? '', 16);
    if (state !== '01') return [];
    return [{ local: second(local), remote: second(remote), unreadBytes: second(queues) }];
  });
}
