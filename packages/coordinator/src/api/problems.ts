/** Errors as HTTP answers: problem details (RFC 9457) with our stable code, status by the kind of failure. */
import { type ErrorCode, type ErrorKind, errorKinds, OperationError, toProblem } from '@skein/shared';
import type { Context } from 'hono';
import type { ContentfulStatusCode } from 'hono/utils/http-status';
import { z } from 'zod';

const statusOfKind: Readonly<Record<ErrorKind, ContentfulStatusCode>> = {
  usage: 400,
  'not-found': 404,
  refused: 409,
  timeout: 504,
  unreachable: 503,
  failed: 500,
};

export const ProblemDetails = z.object({
  type: z.string(),
  title: z.string(),
  status: z.int(),
  detail: z.string(),
  code: z.string(),
  message: z.string(),
  details: z.record(z.string(), z.unknown()),
});

export function statusOf(code: ErrorCode): ContentfulStatusCode {
  if (code === 'request.forbidden') return 403;
  return code === 'link.unauthenticated' ? 401 : statusOfKind[errorKinds[code]];
}

/** `message` repeats `detail` under the name that our own programs use. */
export function problemBody(error: unknown, status: number): z.infer<typeof ProblemDetails> {
  const { code, message, details } = toProblem(error);
  return {
    type: `urn:skein:error:${code}`,
    title: code,
    status,
    detail: message,
    code,
    message,
    details: { ...details },
  };
}

export function problemResponse(context: Context, error: unknown, given?: ContentfulStatusCode): Response {
  const status = given ?? statusOf(toProblem(error).code);
  const headers = { 'content-type': 'application/problem+json' };
  if (status === 401) Object.assign(headers, { 'www-authenticate': 'Bearer realm="skein"' });
  return context.body(JSON.stringify(problemBody(error, status)), status, headers);
}

/** Names all that is wrong with a request, not the first thing only. */
export function invalidRequest(error: z.ZodError): OperationError {
  return new OperationError({
    code: 'request.invalid',
    message: z.prettifyError(error).slice(0, 4000),
    details: {
      issues: error.issues
        .slice(0, 50)
        .map(({ path, message }) => ({ path: path.map(String).join('.'), message })),
    },
    cause: error,
  });
}
