/** Join tokens: made, listed, revoked and checked. The inventory keeps them; their secrets leave here once. */
import type { CreateJoinTokenReply, CreateJoinTokenRequest, JoinKind, JoinTokenView } from '@skein/shared';
import { OperationError } from '@skein/shared';
import { formatJoinToken, freshJoinToken, hashOfSecret, isSecretOf } from '@skein/transport/certificates';
import type { World } from '../world.ts';

/** Against a program that makes tokens in a loop. */
const tokensMax = 1000;

export class JoinTokens {
  readonly #world: World;
  readonly #authorityHash: string;
  readonly #wallMs: () => number;

  constructor(world: World, authorityHash: string, wallMs: () => number) {
    this.#world = world;
    this.#authorityHash = authorityHash;
    this.#wallMs = wallMs;
  }

  /** @throws OperationError request.invalid */
  create({ kind, lifeS }: CreateJoinTokenRequest): CreateJoinTokenReply {
    const { store } = this.#world;
    const createdAtMs = this.#wallMs();
    // The text has seconds.
    const expiresAtMs = (Math.floor(createdAtMs / 1000) + lifeS) * 1000;
    store.joinTokens.removeExpired(createdAtMs);
    if (store.joinTokens.all().length >= tokensMax) {
      const message = `there are ${tokensMax} join tokens already: revoke some with \`skein token revoke\``;
      throw new OperationError({ code: 'request.invalid', message });
    }
    const token = freshJoinToken({ kind, expiresAtMs, authorityHash: this.#authorityHash });
    const { id } = token;
    const view: JoinTokenView = { id, kind, createdAtMs, expiresAtMs };
    this.#world.atomically(() => {
      store.joinTokens.put({ ...view, secretHash: hashOfSecret(token.secret) });
      const until = new Date(expiresAtMs).toISOString();
      this.#world.event('token.created', `token/${id}`, `a join token for ${kind}s was made, until ${until}`);
    });
    return { ...view, token: formatJoinToken(token) };
  }

  list(): JoinTokenView[] {
    const { joinTokens } = this.#world.store;
    joinTokens.removeExpired(this.#wallMs());
    return joinTokens
      .all()
      .map(({ id, kind, createdAtMs, expiresAtMs }) => ({ id, kind, createdAtMs, expiresAtMs }));
  }

  /** Who has joined by it stays. @throws OperationError token.not-found */
  revoke(id: string): JoinTokenView {
    const { store } = this.#world;
    const found = this.list().find((token) => token.id === id);
    if (found === undefined) {
      throw new OperationError({ code: 'token.not-found', message: `there is no join token ${id}` });
    }
    this.#world.atomically(() => {
      store.joinTokens.remove(id);
      this.#world.event('token.revoked', `token/${id}`, `the join token ${id} was revoked`);
    });
    return found;
  }

  /** What the holder of this secret may join as; null if it is none of ours, revoked, or over. */
  kindFor(id: string, secret: string): JoinKind | null {
    const token = this.#world.store.joinTokens.get(id);
    if (token === null || !isSecretOf(token.secretHash, secret)) return null;
    return token.expiresAtMs < this.#wallMs() ? null : token.kind;
  }
}
