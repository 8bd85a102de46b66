/**
 * Who may send with a MAC address: `MAC -> { vm, host, epoch }` for each segment, told by the coordinator's view
 * and by the new owner's announcements. A higher epoch of the same VM replaces; nothing else does, so late and
 * repeated messages change nothing (design: safety, rule 4; docs/decisions/0003).
 */
import type { MacNumber } from './ethernet.ts';
import type { SegmentKey } from './port-group.ts';

export interface Owner {
  readonly vm: string;
  readonly host: string;
  readonly epoch: number;
}

/**
 * accepted: the table changed. unchanged: it said so already. stale: a higher epoch is known. conflict: another
 * host claims the same epoch, which leases exclude: an alarm. other-vm: another VM has the MAC and must lose it
 * first, as epochs of two VMs do not compare. full: the table's bound is reached.
 */
export type OwnerChange = 'accepted' | 'unchanged' | 'stale' | 'conflict' | 'other-vm' | 'full';

/** As many as a cluster view may list. */
export const ownersMax = 65_536;

export interface OwnerRecord {
  readonly segment: SegmentKey;
  readonly mac: MacNumber;
  readonly owner: Owner;
}

export class OwnerTable {
  readonly #bySegment = new Map<SegmentKey, Map<MacNumber, Owner>>();
  readonly #limit: number;
  #size = 0;

  constructor(limit: number = ownersMax) {
    this.#limit = limit;
  }

  get size(): number {
    return this.#size;
  }

  lookup(segment: SegmentKey, mac: MacNumber): Owner | undefined {
    return this.#bySegment.get(segment)?.get(mac);
  }

  set(segment: SegmentKey, mac: MacNumber, owner: Owner): OwnerChange {
    const known = this.lookup(segment, mac);
    if (known === undefined) return this.#insert(segment, mac, owner);
    const change = compareOwners(known, owner);
    if (change === 'accepted') this.#bySegment.get(segment)?.set(mac, owner);
    return change;
  }

  /** Takes the MAC from `vm`, unless a higher epoch than `epoch` is known. True if the table changed. */
  remove(segment: SegmentKey, mac: MacNumber, vm: string, epoch: number): boolean {
    const known = this.lookup(segment, mac);
    if (known === undefined || known.vm !== vm || known.epoch > epoch) return false;
    this.#delete(segment, mac);
    return true;
  }

  /**
   * Makes the table what a whole view says, except that a higher epoch of the same VM stays, and that records
   * for which `keep` is true stay though the view lacks them. Returns the changed addresses.
   */
  reconcile(view: readonly OwnerRecord[], keep: (record: OwnerRecord) => boolean): OwnerRecord[] {
    const changed: OwnerRecord[] = [];
    const listed = new Set(view.map((record) => `${record.segment} ${record.mac}`));
    for (const record of this.records()) {
      if (listed.has(`${record.segment} ${record.mac}`) || keep(record)) continue;
      this.#delete(record.segment, record.mac);
      changed.push(record);
    }
    for (const record of view) {
      const known = this.lookup(record.segment, record.mac);
      // The coordinator alone may give a VM's address to another VM.
      if (known !== undefined && known.vm !== record.owner.vm && !keep({ ...record, owner: known })) {
        this.#delete(record.segment, record.mac);
      }
      if (this.set(record.segment, record.mac, record.owner) === 'accepted') changed.push(record);
    }
    return changed;
  }

  *records(): Generator<OwnerRecord> {
    for (const [segment, owners] of this.#bySegment) {
      for (const [mac, owner] of owners) yield { segment, mac, owner };
    }
  }

  #insert(segment: SegmentKey, mac: MacNumber, owner: Owner): OwnerChange {
    if (this.#size >= this.#limit) return 'full';
    const owners = this.#bySegment.get(segment) ?? new Map<MacNumber, Owner>();
    owners.set(mac, owner);
    this.#bySegment.set(segment, owners);
    this.#size += 1;
    return 'accepted';
  }

  #delete(segment: SegmentKey, mac: MacNumber): void {
    const owners = this.#bySegment.get(segment);
    if (owners === undefined || !owners.delete(mac)) return;
    this.#size -= 1;
    if (owners.size === 0) this.#bySegment.delete(segment);
  }
}

function compareOwners(known: Owner, claimed: Owner): OwnerChange {
  if (claimed.vm !== known.vm) return 'other-vm';
  if (claimed.epoch > known.epoch) return 'accepted';
  if (claimed.epoch < known.epoch) return 'stale';
  return claimed.host === known.host ? 'unchanged' : 'conflict';
}
