/**
 * How the ends of a link prove who they are. Programs of a cluster hold certificates: both ends of a TLS 1.3 connection
 * check them, and a link's end can only claim the name that its certificate carries. People's programs hold a token:
 * HMAC-SHA256 over both nonces, who says it and what it said of itself (FIPS 198-1) proves it without sending it, with
 * different labels for the two directions, so that no proof can be reflected; frames after it are not encrypted.
 */
import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import { link, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { isIPv4 } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { OperationError } from '@skein/shared';

export type Authentication =
  /** Where this program's credentials are kept; read again at each dial, for they are renewed. */
  | { readonly kind: 'certificate'; readonly directory: string }
  | { readonly kind: 'token'; readonly token: Uint8Array }
  | { readonly kind: 'none' };

/**
 * Without authentication everybody is let in: that is for this machine's own addresses only.
 * @throws OperationError config.invalid
 */
export function requireProofBeyondLoopback(authentication: Authentication, host: string): void {
  const isLoopback = host === '::1' || (isIPv4(host) && host.startsWith('127.'));
  if (authentication.kind !== 'none' || isLoopback) return;
  throw new OperationError({
    code: 'config.invalid',
    message: `${host} is not a loopback address: links there need certificates or a token (insecure links exist for loopback only)`,
  });
}

export const nonceBytes = 32;
export const proofBytes = 32;
export const tokenBytes = 32;

export function freshNonce(): Uint8Array {
  return new Uint8Array(randomBytes(nonceBytes));
}

export interface Claim {
  readonly side: 'dialer' | 'listener';
  readonly protocol: string;
  readonly role: string;
  readonly name: string;
  readonly bootId: string;
  /** What the dialer offered and the listener chose: nobody between them can talk both down to an older one. */
  readonly versions: { readonly min: number; readonly max: number; readonly chosen: number };
  readonly dialerNonce: Uint8Array;
  readonly listenerNonce: Uint8Array;
}

export function prove(authentication: Authentication, claim: Claim): Uint8Array {
  // A certificate has proven it below, on the connection itself.
  if (authentication.kind !== 'token') return new Uint8Array(proofBytes);
  const hmac = createHmac('sha256', authentication.token);
  const { side, protocol, role, name, bootId, versions } = claim;
  const agreed = `${versions.min}-${versions.max}:${versions.chosen}`;
  for (const text of ['skein-link-1', side, protocol, agreed, role, name, bootId]) {
    hmac.update(text).update('\0'); // None of them can hold a NUL.
  }
  return new Uint8Array(hmac.update(claim.dialerNonce).update(claim.listenerNonce).digest());
}

/** In constant time. */
export function isProven(authentication: Authentication, claim: Claim, proof: Uint8Array): boolean {
  const expected = prove(authentication, claim);
  return proof.length === expected.length && timingSafeEqual(proof, expected);
}

/**
 * Reads a token file: 64 hexadecimal digits, readable by its owner alone.
 * @throws OperationError config.unreadable, config.invalid
 */
export async function readTokenFile(path: string): Promise<Uint8Array> {
  const text = await readFile(path, 'utf8').catch((cause: unknown) => {
    throw new OperationError({
      code: 'config.unreadable',
      message: `cannot read the token file ${path}`,
      cause,
    });
  });
  const { mode } = await stat(path);
  if ((mode & 0o077) !== 0) {
    throw new OperationError({
      code: 'config.invalid',
      message: `the token file ${path} can be read by others (mode ${(mode & 0o777).toString(8)}); run: chmod 600 ${path}`,
    });
  }
  if (!/^[0-9a-f]{64}\s*$/.test(text)) {
    throw new OperationError({
      code: 'config.invalid',
      message: `the token file ${path} must hold 64 hexadecimal digits`,
    });
  }
  return new Uint8Array(Buffer.from(text.trim(), 'hex'));
}

const tokenWaitMsMax = 60_000;
const tokenLookPeriodMs = 200;

/**
 * Reads a token file that another program of the cluster makes at its first start, waiting for it.
 * @throws OperationError config.unreadable when it has not come within a minute, config.invalid
 */
export async function awaitTokenFile(path: string): Promise<Uint8Array> {
  const endsAt = performance.now() + tokenWaitMsMax;
  for (;;) {
    try {
      return await readTokenFile(path);
    } catch (error) {
      const isAbsent = error instanceof OperationError && error.code === 'config.unreadable';
      if (!isAbsent || performance.now() > endsAt) throw error;
    }
    await delay(tokenLookPeriodMs);
  }
}

/** Makes a token file if there is none: random, for its owner alone. @throws OperationError config.unreadable */
export async function ensureTokenFile(path: string): Promise<void> {
  // Whoever waits for it sees all of it or nothing.
  const unfinished = `${path}.${process.pid}.new`;
  try {
    await writeFile(unfinished, `${randomBytes(tokenBytes).toString('hex')}\n`, { mode: 0o600 });
    await link(unfinished, path);
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'EEXIST') return;
    throw new OperationError({
      code: 'config.unreadable',
      message: `cannot make the token file ${path}: ${(cause as Error).message}`,
      cause,
    });
  } finally {
    await rm(unfinished, { force: true });
  }
}
