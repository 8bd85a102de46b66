/**
 * What lets one program into a cluster: it says who may be let in as what until when, and by which key the newcomer
 * recognises the cluster, before it has told its secret to anybody. One line of text:
 * `skein1.<kind>.<id>.<end, seconds since 1970>.<SHA-256 of the authority's public key>.<secret>`.
 */
import { createHash, randomBytes, timingSafeEqual, X509Certificate } from 'node:crypto';
import { OperationError } from '@skein/shared';
import { type ProgramKind, programKinds } from './certified-name.ts';

export interface JoinToken {
  readonly kind: ProgramKind;
  /** By which the coordinator finds it, and people revoke it. */
  readonly id: string;
  readonly expiresAtMs: number;
  /** base64url */
  readonly authorityHash: string;
  /** base64url of 32 random bytes. */
  readonly secret: string;
}

const secretBytes = 32;

export function freshJoinToken(from: Pick<JoinToken, 'kind' | 'expiresAtMs' | 'authorityHash'>): JoinToken {
  return {
    ...from,
    id: randomBytes(5).toString('hex'),
    secret: randomBytes(secretBytes).toString('base64url'),
  };
}

export function formatJoinToken({ kind, id, expiresAtMs, authorityHash, secret }: JoinToken): string {
  return ['skein1', kind, id, Math.floor(expiresAtMs / 1000), authorityHash, secret].join('.');
}

const shape = /^skein1\.([a-z]+)\.([0-9a-f]{10})\.(\d{1,12})\.([A-Za-z0-9_-]{43})\.([A-Za-z0-9_-]{43})$/;

/** @throws OperationError join.token-invalid: without the text itself, which is secret */
export function parseJoinToken(text: string): JoinToken {
  const [, kind, id = '', seconds = '', authorityHash = '', secret = ''] = shape.exec(text.trim()) ?? [];
  const known = programKinds.find((one) => one === kind);
  if (known === undefined) {
    const message = 'this is no join token; one is a single line: skein1.<kind>.<id>.<end>.<hash>.<secret>';
    throw new OperationError({ code: 'join.token-invalid', message });
  }
  return { kind: known, id, expiresAtMs: Number(seconds) * 1000, authorityHash, secret };
}

/** How the coordinator keeps a secret: its hash alone. A secret is random, so a fast hash is enough. */
export function hashOfSecret(secret: string): string {
  return createHash('sha256').update(secret).digest('hex');
}

/** In constant time. */
export function isSecretOf(hash: string, secret: string): boolean {
  const given = Buffer.from(hashOfSecret(secret), 'hex');
  const kept = Buffer.from(hash, 'hex');
  return given.length === kept.length && timingSafeEqual(given, kept);
}

/** Of the public key (SubjectPublicKeyInfo, RFC 5280, 4.1), as RFC 7469 pins keys: certificates may be renewed. */
export function authorityHashOf(certificate: X509Certificate | string): string {
  const parsed = typeof certificate === 'string' ? new X509Certificate(certificate) : certificate;
  return createHash('sha256')
    .update(parsed.publicKey.export({ type: 'spki', format: 'der' }))
    .digest('base64url');
}
