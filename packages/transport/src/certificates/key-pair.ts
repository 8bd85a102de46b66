/** A program's own key. It never leaves the program; who signs the request with it holds it. */
import { createPublicKey, generateKeyPairSync, sign, verify } from 'node:crypto';

export interface KeyPair {
  /** PEM, PKCS #8. */
  readonly privateKey: string;
  /** PEM, SubjectPublicKeyInfo. */
  readonly publicKey: string;
}

/** P-256: every TLS 1.3 implementation must have it (RFC 8446, 9.1). */
export function makeKeyPair(): KeyPair {
  return generateKeyPairSync('ec', {
    namedCurve: 'P-256',
    publicKeyEncoding: { type: 'spki', format: 'pem' },
    privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
  });
}

/** Proof that whoever asks for a certificate holds the key it is for (as PKCS #10's own signature, RFC 2986). */
export function provePossession(keys: KeyPair, uri: string): string {
  return sign('sha256', statement(keys.publicKey, uri), keys.privateKey).toString('base64url');
}

export function isPossessionProven(publicKey: string, uri: string, proof: string): boolean {
  try {
    const key = createPublicKey(publicKey);
    if (key.asymmetricKeyType !== 'ec' || key.asymmetricKeyDetails?.namedCurve !== 'prime256v1') return false;
    return verify('sha256', statement(publicKey, uri), key, Buffer.from(proof, 'base64url'));
  } catch {
    return false; // Not a key at all.
  }
}

function statement(publicKey: string, uri: string): Buffer {
  return Buffer.from(`skein-certificate-request\0${uri}\0${publicKey}`);
}
