/**
 * What happened to this host's networks and the coordinator has not acknowledged yet, above all because the network to
 * the coordinator was among them. Told again and again until it is; bounded, the oldest go first.
 */
import { type NetworkChange, networkChangesMax } from '@skein/shared';
import type { AddressChange } from './address-changes.ts';

interface Noted extends AddressChange {
  readonly sequence: number;
  readonly atMs: number;
}

export class UntoldChanges {
  #noted: Noted[] = [];
  #last = 0;

  note(changes: readonly AddressChange[], nowMs: number): void {
    for (const change of changes) this.#noted.push({ ...change, sequence: ++this.#last, atMs: nowMs });
    this.#noted = this.#noted.slice(-networkChangesMax);
  }

  /** All of them, as they are to be told now. */
  tell(nowMs: number): NetworkChange[] {
    return this.#noted.map(({ network, from, to, sequence, atMs }) => {
      return { network, from, to, sequence, agoMs: Math.max(0, nowMs - atMs) };
    });
  }

  acknowledged(told: readonly NetworkChange[]): void {
    const lastTold = told.at(-1)?.sequence ?? 0;
    this.#noted = this.#noted.filter(({ sequence }) => sequence > lastTold);
  }
}
