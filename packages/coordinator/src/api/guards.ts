/** What every request must pass before a handler sees it: the right host name, the token, a body of bounded size. */
import { timingSafeEqual } from 'node:crypto';
import { isIPv4 } from 'node:net';
import { OperationError } from '@skein/shared';
import type { MiddlewareHandler } from 'hono';
import { bodyLimit } from 'hono/body-limit';
import { problemResponse } from './problems.ts';

const bodyBytesMax = 64 << 10;

/**
 * A page from elsewhere can be made to reach a loopback port under a name of its own (DNS rebinding): only addresses,
 * `localhost` and the configured names are served.
 */
export function checkHost(hostNames: readonly string[]): MiddlewareHandler {
  return async (context, next) => {
    const host = (context.req.header('host') ?? '').replace(/:\d{1,5}$/, '');
    if (isIPv4(host) || host === 'localhost' || hostNames.includes(host)) return next();
    const message = `the Host header must name an address or localhost, not ${JSON.stringify(host.slice(0, 100))}`;
    return problemResponse(context, new OperationError({ code: 'request.invalid', message }), 421);
  };
}

/** In constant time. A token is 64 hexadecimal digits, as in its file. */
export function checkToken(token: Uint8Array): MiddlewareHandler {
  return async (context, next) => {
    const given = /^Bearer ([0-9a-f]{64})$/i.exec(context.req.header('authorization') ?? '')?.[1] ?? '';
    const bytes = Buffer.from(given, 'hex');
    if (bytes.length === token.length && timingSafeEqual(bytes, token)) return next();
    const message = 'the API needs the header "Authorization: Bearer <token>" with the token of this cluster';
    return problemResponse(context, new OperationError({ code: 'link.unauthenticated', message }));
  };
}

export function limitBody(): MiddlewareHandler {
  return bodyLimit({
    maxSize: bodyBytesMax,
    onError: (context) => {
      const message = `the request's body is larger than ${bodyBytesMax} bytes`;
      return problemResponse(context, new OperationError({ code: 'request.invalid', message }), 413);
    },
  });
}
