/** Who gets a certificate: the holder of a join token, under a name that no program has now; the holder of a certificate. */
import { type CertificateReply, type JoinRequest, OperationError, type RenewRequest } from '@skein/shared';
import type { CertificateAuthority } from '@skein/transport/authority';
import { type CertifiedName, certifiedUri, isPossessionProven } from '@skein/transport/certificates';
import type { World } from '../world.ts';
import type { JoinTokens } from './join-tokens.ts';

export interface CertifierOptions {
  readonly authority: CertificateAuthority;
  readonly tokens: JoinTokens;
  readonly world: World;
  readonly wallMs: () => number;
  readonly lifeMs: number;
}

export class Certifier {
  readonly #options: CertifierOptions;

  constructor(options: CertifierOptions) {
    this.#options = options;
  }

  /** @throws OperationError join.refused, name.taken */
  async join(request: JoinRequest): Promise<CertificateReply> {
    const { tokens, world } = this.#options;
    const { tokenId, secret, name } = request;
    const kind = tokens.kindFor(tokenId, secret);
    if (kind === null) {
      const message = `the join token ${tokenId} is not known here, was revoked, or is over: make one with \`skein token create\``;
      throw new OperationError({ code: 'join.refused', message });
    }
    const subject = { kind, name };
    this.#refuseTakenName(subject);
    const reply = await this.#certify(subject, request);
    world.event('token.used', `token/${tokenId}`, `${kind} ${name} joined by the token ${tokenId}`);
    return reply;
  }

  /** @throws OperationError join.refused */
  async renew(subject: CertifiedName, request: RenewRequest): Promise<CertificateReply> {
    return await this.#certify(subject, request);
  }

  async #certify(subject: CertifiedName, { publicKey, possession }: RenewRequest): Promise<CertificateReply> {
    const { authority, wallMs, lifeMs } = this.#options;
    if (!isPossessionProven(publicKey, certifiedUri(subject), possession)) {
      const message = 'the request for a certificate is not signed by the key that it is for (P-256)';
      throw new OperationError({ code: 'join.refused', message });
    }
    return { certificate: await authority.certify(subject, publicKey, { nowMs: wallMs(), lifeMs }) };
  }

  /** A token must not be enough to push a living host aside. */
  #refuseTakenName({ kind, name }: CertifiedName): void {
    if (kind === 'storage' && name !== 'storage') {
      throw new OperationError({
        code: 'join.refused',
        message: `a storage service is called storage, not ${name}`,
      });
    }
    const host = kind === 'agent' ? this.#options.world.hosts.get(name) : undefined;
    // One that is isolated, or was not heard yet since this coordinator started, may live as well.
    if (host === undefined || host.verdict.state === 'failed') return;
    throw new OperationError({
      code: 'name.taken',
      message: `there is a host ${name}, which is ${host.verdict.state}: give this one another name, or stop the other one`,
    });
  }
}
