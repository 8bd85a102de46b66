/**
 * How a program gets its certificate: HTTPS, JSON, at the coordinator. `POST /v1/join` with a token's secret; `POST /v1/renew`
 * with the certificate itself. Whoever asks has made its own key; only the public one is sent.
 */
import { z } from 'zod';
import { Name } from '../ids.ts';

/** A P-256 key in PEM has 178 bytes. */
const PublicKey = z.string().max(1024);
/** Signature by that key over who asks for what, base64url. */
const Possession = z.string().max(256);

export const JoinRequest = z.strictObject({
  tokenId: z.string().regex(/^[0-9a-f]{10}$/),
  secret: z.string().max(64),
  name: Name,
  publicKey: PublicKey,
  possession: Possession,
});
export type JoinRequest = z.infer<typeof JoinRequest>;

export const RenewRequest = z.strictObject({ publicKey: PublicKey, possession: Possession });
export type RenewRequest = z.infer<typeof RenewRequest>;

/** PEM. */
export const CertificateReply = z.strictObject({
  certificate: z
    .string()
    .min(1)
    .max(16 << 10),
});
export type CertificateReply = z.infer<typeof CertificateReply>;
