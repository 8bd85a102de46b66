/**
 * The first messages of a link: who is there, which protocol in which version, and the proofs. Dialer: hello;
 * listener: its own hello with a proof; dialer: its proof; listener: welcome. All within three seconds
 * (safety: Faults and bounds); whoever fails is cut off with a stable code and learns nothing.
 */
import { BootId, Name, OperationError, type ProtocolDefinition, protocolVersions } from '@skein/shared';
import type { WebSocket } from 'ws';
import { z } from 'zod';
import {
  type Authentication,
  freshNonce,
  isProven,
  nonceBytes,
  proofBytes,
  prove,
} from './authentication.ts';
import { type CertifiedName, mayClaim } from './certificates/certified-name.ts';
import type { SocketMessages } from './socket-messages.ts';
import { badMessage, decodeControl, encodeControl } from './wire.ts';

export const handshakeDeadlineMs = 3000;
/** What a stranger may send before it has proven itself: its HTTP request, a hello and a proof are under 2 KiB. */
export const handshakeBytesMax = 16 << 10;

/** Who an end is. Names are hosts' names, `coordinator`, `storage`, or a program's. */
export interface Identity {
  readonly role: string;
  readonly name: string;
  readonly bootId: string;
}

const Bytes = (length: number) =>
  z.instanceof(Uint8Array).refine((bytes) => bytes.length === length, `must be ${length} bytes`);

const IdentityShape = { role: z.string().regex(/^[a-z-]{1,40}$/), name: Name, bootId: BootId };

const Hello = z.strictObject({
  type: z.literal('hello'),
  protocol: z.string().max(100),
  versions: z.strictObject({ min: z.int(), max: z.int() }),
  ...IdentityShape,
  nonce: Bytes(nonceBytes),
});

const Answer = z.strictObject({
  type: z.literal('answer'),
  version: z.int(),
  ...IdentityShape,
  nonce: Bytes(nonceBytes),
  proof: Bytes(proofBytes),
});

const Proof = z.strictObject({ type: z.literal('proof'), proof: Bytes(proofBytes) });
const Welcome = z.strictObject({ type: z.literal('welcome') });

export interface HandshakeOptions {
  readonly protocol: Pick<ProtocolDefinition, 'name' | 'roles'>;
  readonly own: Identity;
  readonly authentication: Authentication;
  /** What the peer's certificate says; null where the connection carries none. */
  readonly certified: CertifiedName | null;
  /** Refuses a peer by throwing; it has proven itself by then. */
  readonly admit?: (peer: Identity) => void;
}

export async function greetAsDialer(
  socket: WebSocket,
  messages: SocketMessages,
  options: HandshakeOptions,
): Promise<Identity> {
  const { own, authentication } = options;
  const protocol = options.protocol.name;
  const endsAt = performance.now() + handshakeDeadlineMs;
  const dialerNonce = freshNonce();
  send(socket, { type: 'hello', protocol, versions: { ...protocolVersions }, ...own, nonce: dialerNonce });
  const answer = await receive(messages, Answer, endsAt);
  const { version } = answer;
  if (version < protocolVersions.min || version > protocolVersions.max)
    throw badMessage(`it chose version ${version}, which was not offered`);
  const common = {
    dialerNonce,
    listenerNonce: answer.nonce,
    versions: { ...protocolVersions, chosen: version },
  };
  const peer = { role: answer.role, name: answer.name, bootId: answer.bootId };
  if (!isProven(authentication, { side: 'listener', protocol, ...peer, ...common }, answer.proof))
    throw unproven(peer);
  refuseOther(peer, options.protocol.roles.listener, options);
  send(socket, {
    type: 'proof',
    proof: prove(authentication, { side: 'dialer', protocol, ...own, ...common }),
  });
  await receive(messages, Welcome, endsAt);
  options.admit?.(peer);
  return peer;
}

export async function greetAsListener(
  socket: WebSocket,
  messages: SocketMessages,
  options: HandshakeOptions,
): Promise<Identity> {
  const { own, authentication } = options;
  const protocol = options.protocol.name;
  const endsAt = performance.now() + handshakeDeadlineMs;
  const hello = await receive(messages, Hello, endsAt);
  if (hello.protocol !== protocol) throw badMessage(`it wants ${hello.protocol}, this is ${protocol}`);
  const version = Math.min(hello.versions.max, protocolVersions.max);
  if (version < Math.max(hello.versions.min, protocolVersions.min)) throw otherVersion(hello);
  const common = {
    dialerNonce: hello.nonce,
    listenerNonce: freshNonce(),
    versions: { ...hello.versions, chosen: version },
  };
  const peer = { role: hello.role, name: hello.name, bootId: hello.bootId };
  const proof = prove(authentication, { side: 'listener', protocol, ...own, ...common });
  send(socket, { type: 'answer', version, ...own, nonce: common.listenerNonce, proof });
  const answer = await receive(messages, Proof, endsAt);
  if (!isProven(authentication, { side: 'dialer', protocol, ...peer, ...common }, answer.proof))
    throw unproven(peer);
  refuseOther(peer, options.protocol.roles.dialer, options);
  options.admit?.(peer);
  send(socket, { type: 'welcome' });
  return peer;
}

function send(socket: WebSocket, message: unknown): void {
  socket.send(encodeControl(message), { binary: true });
}

async function receive<T>(messages: SocketMessages, schema: z.ZodType<T>, endsAt: number): Promise<T> {
  const message = decodeControl(await messages.next(Math.max(0, endsAt - performance.now())));
  const parsed = schema.safeParse(message);
  if (!parsed.success) throw badMessage('the handshake is not as expected', parsed.error);
  return parsed.data;
}

/** The one who proved itself must be one who speaks here, under the name that its certificate carries. */
function refuseOther(
  peer: Identity,
  roles: readonly string[],
  { authentication, certified, protocol }: HandshakeOptions,
): void {
  if (authentication.kind === 'certificate' && (certified === null || !mayClaim(certified, peer))) {
    const holder = certified === null ? 'nobody of a cluster' : `${certified.kind} ${certified.name}`;
    throw new OperationError({
      code: 'link.unauthenticated',
      message: `the certificate of ${holder} does not allow to speak as ${peer.role} ${peer.name}`,
    });
  }
  if (roles.includes(peer.role)) return;
  throw new OperationError({
    code: 'link.unauthenticated',
    message: `${peer.role} ${peer.name} has no part in ${protocol.name}; ${roles.join(', ')} speak here`,
  });
}

function unproven(peer: Identity): OperationError {
  return new OperationError({
    code: 'link.unauthenticated',
    message: `${nameOf(peer)} and this program hold tokens of different clusters`,
  });
}

/** As it says: it has not proven anything yet. */
function otherVersion({ versions, ...peer }: z.infer<typeof Hello>): OperationError {
  const offered = `${versions.min} to ${versions.max}`;
  return new OperationError({
    code: 'link.protocol-version',
    message: `${nameOf(peer)} speaks protocol versions ${offered}, this build ${protocolVersions.min} to ${protocolVersions.max}: update the older one`,
  });
}

function nameOf({ role, name }: Pick<Identity, 'role' | 'name'>): string {
  return role === name ? name : `${role} ${name}`;
}
