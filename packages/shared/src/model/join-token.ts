/** Join tokens as people see them: who may be let in, until when; the secret is shown once, when a token is made. */
import { z } from 'zod';

/** A program of a cluster that joins by a token; the coordinator certifies itself. */
export const JoinKind = z.enum(['agent', 'storage']);
export type JoinKind = z.infer<typeof JoinKind>;

export const joinTokenLifeSDefault = 24 * 3600;

/** POST /v1/tokens */
export const CreateJoinTokenRequest = z.strictObject({
  kind: JoinKind.default('agent'),
  lifeS: z
    .int()
    .min(10)
    .max(366 * 24 * 3600)
    .default(joinTokenLifeSDefault),
});
export type CreateJoinTokenRequest = z.infer<typeof CreateJoinTokenRequest>;

export const JoinTokenView = z.strictObject({
  id: z.string(),
  kind: JoinKind,
  createdAtMs: z.number(),
  expiresAtMs: z.number(),
});
export type JoinTokenView = z.infer<typeof JoinTokenView>;

export const CreateJoinTokenReply = z.strictObject({ ...JoinTokenView.shape, token: z.string() });
export type CreateJoinTokenReply = z.infer<typeof CreateJoinTokenReply>;
