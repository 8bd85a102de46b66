/**
 * Which peers this host hears, on which network: from when each was heard last. It takes the time as an argument and says
 * what is so; links and timers are the peer links' business. Only hearing counts, never sending: that the other side
 * hears us is its own to say, and the coordinator puts both together (coordinator/policy/pairs.ts).
 */
import type { HostName, NetworkKind, SilentPeer, Timing } from '@skein/shared';

export type HearingTiming = Pick<Timing, 'peerSilenceMsMax' | 'peerMeetMs'>;

export interface ExpectedPeer {
  readonly host: HostName;
  readonly network: NetworkKind;
}

interface Heard extends ExpectedPeer {
  heardAtMs: number;
  /** Silent from then on, if nothing is heard. */
  silentAtMs: number;
}

/** Between two looks; more means that this process stood still, and what was sent meanwhile is unread. */
const lookGapMsMax = 750;

export class PeerHearing {
  readonly #timing: HearingTiming;
  #peers = new Map<string, Heard>();
  #lookedAtMs: number;

  constructor(timing: HearingTiming, nowMs: number) {
    this.#timing = timing;
    this.#lookedAtMs = nowMs;
  }

  /** The whole list of those that are to be heard; one that is new has some time to be met. */
  expect(peers: readonly ExpectedPeer[], nowMs: number): void {
    const next = new Map<string, Heard>();
    for (const { host, network } of peers) {
      const key = keyOf(host, network);
      const silentAtMs = nowMs + this.#timing.peerMeetMs;
      next.set(key, this.#peers.get(key) ?? { host, network, heardAtMs: nowMs, silentAtMs });
    }
    this.#peers = next;
  }

  /** Of a host that is not expected nothing is kept. */
  heard(host: HostName, network: NetworkKind, nowMs: number): void {
    const peer = this.#peers.get(keyOf(host, network));
    if (peer === undefined) return;
    peer.heardAtMs = Math.max(peer.heardAtMs, nowMs);
    peer.silentAtMs = peer.heardAtMs + this.#timing.peerSilenceMsMax;
  }

  /** Everybody on a network is to be met anew: this host's own address there is another one. */
  meetAnew(network: NetworkKind, nowMs: number): void {
    for (const peer of this.#peers.values()) {
      if (peer.network !== network) continue;
      peer.heardAtMs = nowMs;
      peer.silentAtMs = nowMs + this.#timing.peerMeetMs;
    }
  }

  /** Those that are silent now. To be asked several times a second: a longer gap is held against nobody. */
  look(nowMs: number): SilentPeer[] {
    const gapMs = nowMs - this.#lookedAtMs;
    this.#lookedAtMs = nowMs;
    if (gapMs > lookGapMsMax) this.#excuse(gapMs, nowMs);
    return [...this.#peers.values()]
      .filter(({ silentAtMs }) => silentAtMs < nowMs)
      .map(({ host, network, heardAtMs }) => ({ host, network, silentMs: nowMs - heardAtMs }));
  }

  #excuse(gapMs: number, nowMs: number): void {
    for (const peer of this.#peers.values()) {
      const excusedMs = Math.min(gapMs, nowMs - peer.heardAtMs);
      peer.heardAtMs += excusedMs;
      peer.silentAtMs += excusedMs;
    }
  }
}

function keyOf(host: HostName, network: NetworkKind): string {
  return `${host}/${network}`;
}
