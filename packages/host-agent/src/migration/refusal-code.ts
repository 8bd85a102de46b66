/** What of an error's code is worth telling a person about a migration that it ended. */
import { type ErrorCode, refusalReasonLengthMax } from '@skein/shared';

/** These say no more than that the migration ended, or name something of ours that the reason explains better. */
const unspecific: ReadonlySet<ErrorCode | 'closed'> = new Set<ErrorCode | 'closed'>([
  'closed',
  'internal',
  'link.closed',
  'link.refused',
  'link.timeout',
  'migration.aborted',
  'timeout',
]);

/** Null: the reason alone says it. */
export function refusalCode(code: ErrorCode | 'closed'): ErrorCode | null {
  return code === 'closed' || unspecific.has(code) ? null : code;
}

/** What a peer says can be long; what is told on and stored is not. */
export function cutReason<E extends object>(event: E): E {
  if (!('reason' in event) || typeof event.reason !== 'string') return event;
  return { ...event, reason: event.reason.slice(0, refusalReasonLengthMax) };
}
