/**
 * The yardstick: bytes over a TCP connection in writes of 64 KiB, read and thrown away. One buffer is sent again and
 * again, so that nothing is measured but the way.
 */
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { cpuSecondsSince, loopback, type SentReply, type TransferAssignment } from './transfer-channel.ts';

const writeBytes = 64 << 10;
/** Waiting in the sender: enough that the system always has the next write at hand. */
const unsentBytesMax = 1 << 20;
const mebibyte = 1 << 20;
const noHash = '0';

export class RawSource {
  readonly #server: Server;
  readonly #connection: Promise<Socket>;
  readonly #bytes: number;

  private constructor(server: Server, connection: Promise<Socket>, bytes: number) {
    this.#server = server;
    this.#connection = connection;
    this.#bytes = bytes;
  }

  static async listen({ memoryMib }: TransferAssignment): Promise<RawSource> {
    const server = createServer({ noDelay: true });
    const connection = new Promise<Socket>((resolve) => server.once('connection', resolve));
    server.listen(0, loopback);
    await once(server, 'listening');
    return new RawSource(server, connection, memoryMib * mebibyte);
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  async send(): Promise<Omit<SentReply, 'heartbeatsMs'>> {
    const socket = await this.#connection;
    const chunk = randomBytes(writeBytes);
    const arrived = once(socket, 'data');
    const cpuBefore = process.cpuUsage();
    const startedAt = performance.now();
    for (let left = this.#bytes; left > 0; left -= writeBytes) {
      socket.write(chunk);
      if (socket.writableLength > unsentBytesMax) await once(socket, 'drain');
    }
    await arrived;
    const durationMs = performance.now() - startedAt;
    const cpuSeconds = cpuSecondsSince(cpuBefore);
    return { type: 'sent', durationMs, wireBytes: socket.bytesWritten, memoryHash: noHash, cpuSeconds };
  }

  async close(): Promise<void> {
    (await this.#connection).destroy();
    this.#server.close();
  }
}

export class RawTarget {
  readonly #socket: Socket;

  private constructor(socket: Socket, bytes: number) {
    this.#socket = socket;
    let receivedBytes = 0;
    socket.on('data', (chunk) => {
      receivedBytes += chunk.length;
      if (receivedBytes === bytes) socket.write('.');
    });
  }

  static async dial({ memoryMib, port }: TransferAssignment): Promise<RawTarget> {
    const socket = connect({ host: loopback, port, noDelay: true });
    await once(socket, 'connect');
    return new RawTarget(socket, memoryMib * mebibyte);
  }

  conclude(): string {
    this.#socket.destroy();
    return noHash;
  }
}
