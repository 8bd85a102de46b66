/**
 * The host lease of one host at the coordinator: which heartbeats are granted. A grant needs a fresh echo of our last
 * acknowledgement, else a host whose acknowledgements get lost would keep a lease here that it does not have (design:
 * safety, rule 3).
 */
import type { BootId, Timing } from '@skein/shared';

export interface Heartbeat {
  readonly bootId: BootId;
  readonly sequence: number;
  readonly echo: number;
}

/** Echoes of older acknowledgements would be too old anyway. */
const acknowledgementsKept = 32;

export class HostLease {
  readonly #echoAgeMsMax: number;
  readonly #acknowledged: { sequence: number; atMs: number }[] = [];
  #bootId: BootId | null = null;
  /** Last grant, or the registration; a restarted coordinator counts from its own start. */
  grantedAtMs: number;
  /** Last heartbeat of the process that is registered. */
  heardAtMs: number | null = null;

  constructor(timing: Pick<Timing, 'echoAgeMsMax'>, nowMs: number) {
    this.#echoAgeMsMax = timing.echoAgeMsMax;
    this.grantedAtMs = nowMs;
  }

  /** A process registered: its predecessor's heartbeats count no more. */
  begin(bootId: BootId, nowMs: number): void {
    if (this.#bootId !== bootId) {
      this.#acknowledged.length = 0;
      this.heardAtMs = null;
    }
    this.#bootId = bootId;
    this.grantedAtMs = nowMs;
  }

  /** Whether this heartbeat prolongs the lease. A link's handshake was a round trip too: `linkOpenedAtMs`. */
  hear(heartbeat: Heartbeat, linkOpenedAtMs: number, nowMs: number): boolean {
    if (heartbeat.bootId !== this.#bootId) return false;
    this.heardAtMs = nowMs;
    const echoed = this.#acknowledged.find(({ sequence }) => sequence === heartbeat.echo)?.atMs;
    const echoAtMs = Math.max(echoed ?? Number.NEGATIVE_INFINITY, linkOpenedAtMs);
    const isGranted = nowMs - echoAtMs <= this.#echoAgeMsMax;
    this.#acknowledged.push({ sequence: heartbeat.sequence, atMs: nowMs });
    if (this.#acknowledged.length > acknowledgementsKept) this.#acknowledged.shift();
    if (isGranted) this.grantedAtMs = nowMs;
    return isGranted;
  }
}
