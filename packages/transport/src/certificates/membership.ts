/**
 * A program's membership in its cluster: credentials in its state directory, got by a join token where there are none,
 * renewed at two thirds of their life for as long as the program runs.
 */
import { readFile } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import { OperationError } from '@skein/shared';
import type { Authentication } from '../authentication.ts';
import { type JoinPoint, joinWithToken, renewCertificate } from './certificate-client.ts';
import type { CertifiedName } from './certified-name.ts';
import {
  type Credentials,
  factsOf,
  findCredentials,
  readCredentials,
  writeCredentials,
} from './credentials.ts';
import { authorityHashOf, type JoinToken, parseJoinToken } from './join-token.ts';

export interface MembershipOptions {
  /** Where credentials are kept; this program's alone. */
  readonly directory: string;
  readonly subject: CertifiedName;
  readonly coordinator: JoinPoint;
  /** Without one only credentials that are there already help. */
  readonly tokenFile?: string;
  readonly onEvent: (level: 'info' | 'warn', message: string) => void;
}

export interface Membership {
  readonly authentication: Authentication;
  /** Ends the renewing. */
  close(): void;
}

const tokenWaitMsMax = 60_000;
const lookPeriodMs = 200;
/** As long as a host's lease may last. */
const nameWaitMsMax = 10_000;
const retryMsMin = 200;
const retryMsMax = 5000;
const renewRetryMs = 60_000;
/** setTimeout's own limit. */
const timerMsMax = 2 ** 31 - 1;

/**
 * Resolves when this program has credentials; as long as no coordinator answers it goes on trying.
 * @throws OperationError join.token-invalid, join.refused, link.unauthenticated, config.unreadable, config.invalid
 */
export async function becomeMember(options: MembershipOptions): Promise<Membership> {
  const { directory } = options;
  const token = await findToken(options);
  const found = findCredentials(directory);
  if (found === null || !isUsable(found, options.subject, token)) {
    await writeCredentials(directory, await join(options, token ?? (await awaitToken(options))));
    options.onEvent('info', `joined the cluster as ${options.subject.kind} ${options.subject.name}`);
  }
  const stop = new AbortController();
  void keepRenewed(options, stop.signal);
  return { authentication: { kind: 'certificate', directory }, close: () => stop.abort() };
}

/** Of the cluster that the token is for, if there is one; this program's, and not over. */
function isUsable(
  { certificate, authority }: Credentials,
  subject: CertifiedName,
  token: JoinToken | null,
): boolean {
  const facts = factsOf(certificate);
  return (
    facts.subject?.kind === subject.kind &&
    facts.subject.name === subject.name &&
    facts.notAfterMs > Date.now() &&
    (token === null || token.authorityHash === authorityHashOf(authority))
  );
}

async function findToken({ tokenFile }: MembershipOptions): Promise<JoinToken | null> {
  if (tokenFile === undefined) return null;
  try {
    return parseJoinToken(await readFile(tokenFile, 'utf8'));
  } catch (cause) {
    if (cause instanceof OperationError)
      throw new OperationError({ code: cause.code, message: `${tokenFile}: ${cause.message}`, cause });
    return null; // Not there yet, or not readable: told when it is needed.
  }
}

/** The coordinator makes the token's file at its first start, and we may have started before it. */
async function awaitToken(options: MembershipOptions): Promise<JoinToken> {
  const { tokenFile, directory } = options;
  if (tokenFile === undefined) {
    const message = `this program has no credentials in ${directory} and no join token: make one with \`skein token create\` and name its file in the configuration (joinTokenFile)`;
    throw new OperationError({ code: 'config.invalid', message });
  }
  const endsAt = performance.now() + tokenWaitMsMax;
  for (;;) {
    const token = await findToken(options);
    if (token !== null) return token;
    if (performance.now() > endsAt) {
      const message = `cannot read the join token ${tokenFile}: does the coordinator run, and may this user read it?`;
      throw new OperationError({ code: 'config.unreadable', message });
    }
    await delay(lookPeriodMs);
  }
}

async function join(options: MembershipOptions, first: JoinToken): Promise<Credentials> {
  const startedAt = performance.now();
  let token = first;
  let retryMs = retryMsMin;
  for (;;) {
    refuseUnfit(token, options);
    try {
      return await joinWithToken(options.coordinator, token, options.subject);
    } catch (error) {
      if (!isPassing(error, startedAt)) throw error;
      options.onEvent('warn', `cannot join yet: ${(error as Error).message}`);
    }
    await delay(retryMs);
    retryMs = Math.min(retryMs * 2, retryMsMax);
    token = (await findToken(options)) ?? token;
  }
}

function refuseUnfit(token: JoinToken, { subject, tokenFile }: MembershipOptions): void {
  const reason =
    token.kind !== subject.kind
      ? `is for a program of kind ${token.kind}, and this is ${subject.kind}`
      : token.expiresAtMs < Date.now()
        ? `expired at ${new Date(token.expiresAtMs).toISOString()}`
        : null;
  if (reason === null) return;
  const message = `the join token ${token.id} in ${tokenFile} ${reason}: make one with \`skein token create --kind ${subject.kind}\``;
  throw new OperationError({ code: 'join.refused', message });
}

/** The coordinator may be starting, or away for a while; and it may not know yet that our own last run has ended. */
function isPassing(error: unknown, sinceMs: number): boolean {
  if (!(error instanceof OperationError)) return false;
  if (error.code === 'name.taken') return performance.now() - sinceMs < nameWaitMsMax;
  return ['link.refused', 'link.timeout', 'address.unavailable'].includes(error.code);
}

async function keepRenewed(options: MembershipOptions, signal: AbortSignal): Promise<void> {
  const { directory, coordinator, subject, onEvent } = options;
  while (!signal.aborted) {
    try {
      const credentials = readCredentials(directory);
      const { notBeforeMs, notAfterMs } = factsOf(credentials.certificate);
      const dueMs = notBeforeMs + ((notAfterMs - notBeforeMs) * 2) / 3 - Date.now();
      if (dueMs > 0) {
        await delay(Math.min(dueMs, timerMsMax), undefined, { signal, ref: false });
        continue;
      }
      const token = notAfterMs > Date.now() ? null : await findToken(options);
      const renewed =
        token === null
          ? await renewCertificate(coordinator, credentials, subject)
          : await joinWithToken(coordinator, token, subject); // Over: only a token helps now.
      await writeCredentials(directory, renewed);
      onEvent('info', 'renewed the certificate');
    } catch (error) {
      if (signal.aborted) return;
      onEvent('warn', `cannot renew the certificate: ${(error as Error).message}`);
      await delay(renewRetryMs, undefined, { signal, ref: false }).catch(() => {});
    }
  }
}
