/**
 * Idempotency-Key: the same request under the same key has one effect and one answer, also across a restart of the
 * coordinator, for effect and answer are stored in one transaction. Source: IETF draft "The Idempotency-Key HTTP Header Field".
 */
import { createHash } from 'node:crypto';
import { OperationError } from '@skein/shared';
import type { Context } from 'hono';
import type { ContentfulStatusCode } from 'hono/utils/http-status';
import type { World } from '../world.ts';
import { problemBody, statusOf } from './problems.ts';

const keyCharactersMax = 200;

/** `change` is synchronous: all or nothing happened when it returns or throws. */
export function changeOnce(
  context: Context,
  world: World,
  request: unknown,
  atMs: number,
  change: () => unknown,
): Response {
  const key = context.req.header('idempotency-key');
  if (key === undefined) return answer(context, 200, JSON.stringify(change()));
  if (key.length === 0 || key.length > keyCharactersMax) {
    const message = `Idempotency-Key must have 1 to ${keyCharactersMax} characters`;
    throw new OperationError({ code: 'request.invalid', message });
  }
  const hash = createHash('sha256');
  hash.update(`${context.req.method} ${context.req.path}\n${JSON.stringify(request)}`);
  const requestHash = hash.digest('hex');
  const { idempotency } = world.store;
  const known = idempotency.get(key);
  if (known !== null) {
    if (known.requestHash === requestHash) return answer(context, known.status, known.body);
    const message = 'this Idempotency-Key was used for another request: take a new one';
    throw new OperationError({ code: 'request.invalid', message });
  }
  try {
    const body = world.atomically(() => {
      const text = JSON.stringify(change());
      idempotency.put(key, { requestHash, status: 200, body: text }, atMs);
      return text;
    });
    return answer(context, 200, body);
  } catch (error) {
    // A refusal is an answer too; what failed on our side is not, and may be tried again under the same key.
    const status = error instanceof OperationError ? statusOf(error.code) : 500;
    if (status >= 500) throw error;
    const body = JSON.stringify(problemBody(error, status));
    idempotency.put(key, { requestHash, status, body }, atMs);
    return answer(context, status, body);
  }
}

function answer(context: Context, status: number, body: string): Response {
  const type = status < 300 ? 'application/json' : 'application/problem+json';
  return context.body(body, status as ContentfulStatusCode, { 'content-type': type });
}
