/**
 * What a stranger on one of the cluster's networks tries, in a container of its own: it knocks at every listener that it
 * is told of, in all the ways it knows, and prints one JSON line of what came of it. It has no credential.
 */
import { createSocket } from 'node:dgram';
import { connect as connectTcp, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';

/** How a way in ended: nobody there, hung up on, refused in HTTP, or let in. */
export interface Knock {
  readonly address: string;
  readonly port: number;
  readonly way: string;
  readonly outcome: 'unreachable' | 'closed' | 'refused' | 'upgraded then closed' | 'kept open' | 'let in';
  readonly detail: string;
}

export interface Order {
  readonly listeners: readonly { readonly address: string; readonly port: number }[];
  /** Sent once each, as hexadecimal digits. */
  readonly datagrams: readonly { readonly address: string; readonly port: number; readonly hex: string }[];
}

const connectMs = 1500;
/** Who has not proven itself within three seconds is cut off (safety: Faults and bounds). */
const patienceMs = 8000;

const wrongToken = `Bearer ${'5'.repeat(64)}`;
const request = (path: string, more = ''): string => `GET ${path} HTTP/1.1\r\nhost: 127.0.0.1\r\n${more}\r\n`;
const upgrade = request(
  '/',
  'upgrade: websocket\r\nconnection: upgrade\r\nsec-websocket-version: 13\r\nsec-websocket-key: AAAAAAAAAAAAAAAAAAAAAA==\r\n',
);
/** A masked binary frame of four bytes that are no message of ours. */
const nonsense = Buffer.from('8284000000000badcafe', 'hex');

const ways: readonly {
  readonly name: string;
  readonly isTls: boolean;
  readonly says: readonly (string | Buffer)[];
}[] = [
  { name: 'HTTP', isTls: false, says: [request('/v1/vms')] },
  { name: 'HTTP, wrong token', isTls: false, says: [request('/v1/vms', `authorization: ${wrongToken}\r\n`)] },
  { name: 'HTTP, metrics', isTls: false, says: [request('/metrics', `authorization: ${wrongToken}\r\n`)] },
  { name: 'WebSocket', isTls: false, says: [upgrade, nonsense] },
  { name: 'WebSocket, silent', isTls: false, says: [upgrade] },
  { name: 'TLS', isTls: true, says: [request('/v1/vms')] },
  { name: 'TLS, WebSocket', isTls: true, says: [upgrade, nonsense] },
  { name: 'bytes', isTls: false, says: [Buffer.alloc(4096, 0xa5)] },
];

async function knock(
  address: string,
  port: number,
  { name, isTls, says }: (typeof ways)[number],
): Promise<Knock> {
  const result = (outcome: Knock['outcome'], detail = ''): Knock => ({
    address,
    port,
    way: name,
    outcome,
    detail,
  });
  const socket = await reached(address, port);
  if (socket === null) return result('unreachable');
  return await new Promise((resolve) => {
    let heard = '';
    const end = (outcome: Knock['outcome'], detail: string): void => {
      clearTimeout(timer);
      socket.destroy();
      resolve(result(outcome, detail.slice(0, 200)));
    };
    const timer = setTimeout(() => end('kept open', heard), patienceMs);
    const channel = isTls ? connectTls({ socket, rejectUnauthorized: false }) : socket;
    const speak = (): void => {
      for (const words of says) channel.write(words);
    };
    if (isTls) channel.once('secureConnect', speak);
    else speak();
    channel.on('data', (chunk: Buffer) => {
      heard += chunk.toString('latin1');
      const status = Number(/^HTTP\/1\.1 (\d{3})/.exec(heard)?.[1] ?? 0);
      if (status >= 400) end('refused', heard.split('\r\n')[0] ?? '');
      else if (status >= 200) end('let in', heard);
    });
    const closed = (why: string): void =>
      end(heard.startsWith('HTTP/1.1 101') ? 'upgraded then closed' : 'closed', closeReason(heard) ?? why);
    channel.on('error', (error: NodeJS.ErrnoException) => closed(error.code ?? error.message));
    channel.on('close', () => closed('closed'));
  });
}

const closeFrame = 0x88;

/** What stands in the last frame, if it is one that closes a WebSocket (RFC 6455, Close). */
function closeReason(heard: string): string | null {
  const bytes = Buffer.from(heard, 'latin1');
  const at = bytes.lastIndexOf(closeFrame);
  if (at < 0 || bytes.length < at + 4) return null;
  return `${bytes.readUInt16BE(at + 2)} ${bytes.subarray(at + 4).toString()}`.trim();
}

function reached(address: string, port: number): Promise<Socket | null> {
  return new Promise((resolve) => {
    const socket = connectTcp({ host: address, port });
    const timer = setTimeout(() => done(null), connectMs);
    const done = (found: Socket | null): void => {
      clearTimeout(timer);
      if (found === null) socket.destroy();
      resolve(found);
    };
    socket.once('connect', () => done(socket));
    socket.once('error', () => done(null));
  });
}

async function send({ datagrams }: Order): Promise<void> {
  const socket = createSocket('udp4');
  for (const { address, port, hex } of datagrams)
    await new Promise((done) => socket.send(Buffer.from(hex, 'hex'), port, address, done));
  socket.close();
}

const order = JSON.parse(process.argv[2] ?? '{}') as Order;
await send(order);
const knocks = await Promise.all(
  order.listeners.flatMap(({ address, port }) => ways.map((way) => knock(address, port, way))),
);
process.stdout.write(`${JSON.stringify(knocks)}\n`);
