/** Who sent a request, as far as it can be known: all people share one token, so that their address is what differs. */
import { getConnInfo } from '@hono/node-server/conninfo';
import type { Context } from 'hono';

/** For events: `the API token's holder at 127.0.1.1`. */
export function askerOf(context: Context): string {
  return `the API token's holder at ${getConnInfo(context).remote.address ?? 'an unknown address'}`;
}
