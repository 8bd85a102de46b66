/** Who has lost whom, as it stands: what hosts say of each other, judged at each turn (policy/pairs.ts). */
import type { HostName, LostPeer, NetworkKind, Timing } from '@skein/shared';
import type { Host } from './host.ts';
import { changedPairs, judgePairs, type Pair } from './policy/pairs.ts';

export class HostPairs {
  readonly #timing: Timing;
  #pairs: readonly Pair[] = [];

  constructor(timing: Timing) {
    this.#timing = timing;
  }

  get all(): readonly Pair[] {
    return this.#pairs;
  }

  /** Returns the pairs that were lost or found since the judgement before. */
  judge(hosts: readonly Host[], nowMs: number): Pair[] {
    const judged = hosts.map(({ identity, verdict, connectedSinceMs }) => ({
      name: identity.name,
      state: verdict.state,
      connectedSinceMs,
      networks: Object.keys(identity.addresses) as NetworkKind[],
    }));
    const reports = hosts.flatMap(({ identity, status }) =>
      status.silentPeers.map(({ host, network }) => ({ by: identity.name, of: host, network })),
    );
    const before = this.#pairs;
    this.#pairs = judgePairs(before, judged, reports, nowMs, this.#timing);
    return changedPairs(before, this.#pairs);
  }

  /** Whom a host and its peers have lost; `nowMs` as in `judge`, `wallMs` the Unix time that is the same moment. */
  lostBy(name: HostName, nowMs: number, wallMs: number): LostPeer[] {
    return this.#pairs
      .filter(({ isLost, hosts }) => isLost && hosts.includes(name))
      .map(({ hosts: [a, b], network, reason, sinceMs }) => {
        const peer = a === name ? b : a;
        return { host: peer, network, reason, sinceMs: Math.round(wallMs - (nowMs - sinceMs)) };
      });
  }
}
