/**
 * A newcomer's side of joining: it recognises the coordinator by the hash in its token before it sends anything secret,
 * and renews its certificate with the one it has.
 */
import { request } from 'node:https';
import { connect, type SecureContextOptions } from 'node:tls';
import { CertificateReply, fromProblem, OperationError, type OwnAddress } from '@skein/shared';
import { z } from 'zod';
import { requireOwnAddress } from '../own-address.ts';
import { type CertifiedName, certifiedNameOf, certifiedUri } from './certified-name.ts';
import type { Credentials } from './credentials.ts';
import { authorityHashOf, type JoinToken } from './join-token.ts';
import { makeKeyPair, provePossession } from './key-pair.ts';
import { isTlsError, tlsCommon, whyTlsFailed } from './tls.ts';

/** Where the coordinator lets programs in. */
export interface JoinPoint {
  readonly address: string;
  readonly port: number;
  /** Our own end, on the management network. */
  readonly localAddress?: OwnAddress;
}

const deadlineMs = 10_000;
const replyBytesMax = 64 << 10;

/**
 * A fresh key, certified under this name.
 * @throws OperationError link.refused, link.timeout, link.unauthenticated, join.refused
 */
export async function joinWithToken(
  at: JoinPoint,
  token: JoinToken,
  subject: CertifiedName,
): Promise<Credentials> {
  const authority = await recogniseAuthority(at, token.authorityHash);
  const keys = makeKeyPair();
  const { certificate } = await post(
    at,
    '/v1/join',
    { ca: authority },
    {
      tokenId: token.id,
      secret: token.secret,
      name: subject.name,
      publicKey: keys.publicKey,
      possession: provePossession(keys, certifiedUri(subject)),
    },
  );
  return { key: keys.privateKey, certificate, authority };
}

/**
 * The same for a program that has credentials: a fresh key under the same name.
 * @throws OperationError link.refused, link.timeout, link.unauthenticated, join.refused
 */
export async function renewCertificate(
  at: JoinPoint,
  { key, certificate: old, authority }: Credentials,
  subject: CertifiedName,
): Promise<Credentials> {
  const keys = makeKeyPair();
  const { certificate } = await post(
    at,
    '/v1/renew',
    { ca: authority, key, cert: old },
    {
      publicKey: keys.publicKey,
      possession: provePossession(keys, certifiedUri(subject)),
    },
  );
  return { key: keys.privateKey, certificate, authority };
}

/**
 * The authority's certificate (PEM), from the chain that the coordinator shows. Nothing else is believed on this
 * connection: the next one is checked by this certificate.
 */
function recogniseAuthority(at: JoinPoint, authorityHash: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect({
      ...tlsCommon,
      ...endsOf(at),
      servername: '',
      rejectUnauthorized: false,
      timeout: deadlineMs,
    });
    const fail = (error: OperationError): void => {
      socket.destroy();
      reject(error);
    };
    socket.once('timeout', () => fail(timeout(at)));
    socket.once('error', (cause) => fail(connectError(at, cause)));
    socket.once('secureConnect', () => {
      const authority = socket.getPeerX509Certificate()?.issuerCertificate;
      if (authority !== undefined && authorityHashOf(authority) === authorityHash) {
        socket.end();
        resolve(authority.toString());
        return;
      }
      const message = `${at.address}:${at.port} is not of the cluster that this join token is for: make a token there, or name the right coordinator`;
      fail(new OperationError({ code: 'link.unauthenticated', message }));
    });
  });
}

function post(
  at: JoinPoint,
  path: string,
  tls: SecureContextOptions,
  body: unknown,
): Promise<CertificateReply> {
  const { host, port, localAddress } = endsOf(at);
  return new Promise((resolve, reject) => {
    const sent = request(
      {
        ...tlsCommon,
        ...tls,
        host,
        port,
        ...(localAddress === undefined ? {} : { localAddress }),
        method: 'POST',
        path,
        headers: { 'content-type': 'application/json' },
        servername: '',
        agent: false,
        checkServerIdentity: (_, { subjectaltname }) =>
          certifiedNameOf(subjectaltname)?.kind === 'coordinator'
            ? undefined
            : new Error('not a coordinator'),
        signal: AbortSignal.timeout(deadlineMs),
      },
      (response) => {
        const chunks: Buffer[] = [];
        let bytes = 0;
        response.on('data', (chunk: Buffer) => {
          bytes += chunk.length;
          if (bytes > replyBytesMax) sent.destroy(new Error('the answer is too long'));
          else chunks.push(chunk);
        });
        response.once('error', reject);
        response.once('end', () => {
          try {
            resolve(answerOf(response.statusCode ?? 0, Buffer.concat(chunks).toString()));
          } catch (error) {
            reject(error);
          }
        });
      },
    );
    sent.once('error', (cause: NodeJS.ErrnoException) =>
      reject(
        cause.name === 'TimeoutError' || cause.name === 'AbortError' ? timeout(at) : connectError(at, cause),
      ),
    );
    sent.end(JSON.stringify(body));
  });
}

const Refusal = z.object({
  code: z.literal(['join.refused', 'name.taken', 'request.invalid']),
  message: z.string().max(2000),
});

function answerOf(status: number, text: string): CertificateReply {
  const body = parseJson(text);
  const reply = CertificateReply.safeParse(body);
  if (status === 200 && reply.success) return reply.data;
  const refusal = Refusal.safeParse(body);
  if (refusal.success) throw fromProblem({ ...refusal.data, details: {} });
  throw new OperationError({
    code: 'link.bad-message',
    message: `the coordinator answered a request for a certificate with status ${status}, which is none of ours`,
  });
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

function endsOf({ address, port, localAddress }: JoinPoint): {
  readonly host: string;
  readonly port: number;
  readonly localAddress?: string;
} {
  if (localAddress === undefined) return { host: address, port };
  return { host: address, port, localAddress: requireOwnAddress(localAddress) };
}

function timeout({ address, port }: JoinPoint): OperationError {
  const message = `the coordinator at ${address}:${port} did not answer within ${deadlineMs} ms`;
  return new OperationError({ code: 'link.timeout', message });
}

function connectError({ address, port }: JoinPoint, cause: NodeJS.ErrnoException): OperationError {
  if (isTlsError(cause) || cause.message === 'not a coordinator') {
    const message = `${address}:${port} is no coordinator of this cluster, or does not count us to it: ${whyTlsFailed(cause)}`;
    return new OperationError({ code: 'link.unauthenticated', message, cause });
  }
  const message = `no coordinator answers at ${address}:${port}: ${cause.code ?? cause.message}`;
  return new OperationError({ code: 'link.refused', message, cause });
}
