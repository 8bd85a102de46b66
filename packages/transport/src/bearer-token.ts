/** The bearer token of an HTTP request (RFC 6750, "Authorization Request Header Field"), as our listeners take it. */
import { timingSafeEqual } from 'node:crypto';

/** Whether the header carries this very token, as 64 hexadecimal digits; told in constant time. */
export function isBearer(authorization: string | undefined, token: Uint8Array): boolean {
  const given = /^Bearer ([0-9a-f]{64})$/i.exec(authorization ?? '')?.[1] ?? '';
  const bytes = Buffer.from(given, 'hex');
  return bytes.length === token.length && timingSafeEqual(bytes, token);
}
