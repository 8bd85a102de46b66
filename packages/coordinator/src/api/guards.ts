/** What every request passes before a handler sees it: counted; the right host name, a token, a body of bounded size. */
import { isIPv4 } from 'node:net';
import { OperationError } from '@skein/shared';
import { isBearer } from '@skein/transport';
import type { MiddlewareHandler } from 'hono';
import { bodyLimit } from 'hono/body-limit';
import { matchedRoutes } from 'hono/route';
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

export interface ApiTokens {
  /** Gives every right. */
  readonly api: Uint8Array;
  /** Gives the right to read `metricsPaths`; null: nobody has it. */
  readonly metrics: Uint8Array | null;
}

export function checkToken(tokens: ApiTokens, metricsPaths: readonly string[]): MiddlewareHandler {
  return async (context, next) => {
    const authorization = context.req.header('authorization');
    if (isBearer(authorization, tokens.api)) return next();
    if (tokens.metrics !== null && isBearer(authorization, tokens.metrics)) {
      if (metricsPaths.includes(context.req.path) && context.req.method === 'GET') return next();
      const message = `the metrics token may read ${metricsPaths.join(' and ')}, nothing else: use the API token`;
      return problemResponse(context, new OperationError({ code: 'request.forbidden', message }));
    }
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

/** Counts each request with its answer, refused ones included; by route, for a path is as a stranger likes it. */
export function countRequests(
  count: (method: string, route: string, status: number, durationMs: number) => void,
): MiddlewareHandler {
  return async (context, next) => {
    const startedAt = performance.now();
    await next();
    const route = matchedRoutes(context).findLast(({ path }) => !path.endsWith('*'))?.path ?? 'none';
    count(context.req.method, route, context.res.status, performance.now() - startedAt);
  };
}
