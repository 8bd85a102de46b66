/**
 * Mutual TLS 1.3 (RFC 8446) by a cluster's own authority: both ends check the other's certificate, and who it belongs to
 * is read from it. Addresses and host names prove nothing here.
 */
import type { Socket } from 'node:net';
import { TLSSocket } from 'node:tls';
import type { Authentication } from '../authentication.ts';
import { type CertifiedName, certifiedNameOf } from './certified-name.ts';
import { readCredentials } from './credentials.ts';

/** AES-128 first: all of them are sound, and pages go through it. */
const ciphers = 'TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256';

/** What an end of ours speaks, whoever it lets in. */
export const tlsCommon = { minVersion: 'TLSv1.3', ciphers } as const;

/** Options of node:tls for either end; null where links are not encrypted. @throws OperationError config.unreadable, config.invalid */
export function tlsOf(authentication: Authentication) {
  if (authentication.kind !== 'certificate') return null;
  const { key, certificate, authority } = readCredentials(authentication.directory);
  return {
    ...tlsCommon,
    key,
    cert: certificate,
    ca: authority,
    requestCert: true,
    rejectUnauthorized: true,
    // The name in the certificate is compared with what the peer says of itself, in the handshake of the link.
    checkServerIdentity: () => undefined,
  };
}

/** Who is at the other end, as its verified certificate says; null without one. */
export function certifiedPeer(connection: Socket): CertifiedName | null {
  if (!(connection instanceof TLSSocket) || !connection.authorized) return null;
  return certifiedNameOf(connection.getPeerX509Certificate()?.subjectAltName);
}

const verifyErrors = new Set([
  'CERT_HAS_EXPIRED',
  'CERT_NOT_YET_VALID',
  'CERT_SIGNATURE_FAILURE',
  'CERT_UNTRUSTED',
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'INVALID_CA',
  'INVALID_PURPOSE',
  'SELF_SIGNED_CERT_IN_CHAIN',
  'UNABLE_TO_GET_ISSUER_CERT',
  'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
]);

/** Whether a connection failed in TLS and not below. */
export function isTlsError({ code = '' }: NodeJS.ErrnoException): boolean {
  return verifyErrors.has(code) || code.startsWith('ERR_SSL_') || code.startsWith('ERR_TLS_');
}

/** In a few words: OpenSSL's own messages carry places in its source. */
export function whyTlsFailed(error: NodeJS.ErrnoException & { readonly reason?: string }): string {
  return (error.reason ?? error.code ?? error.message).toString().slice(0, 200);
}
