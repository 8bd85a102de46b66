/**
 * What a switch has learned: behind which port or peer a MAC address was last seen, for each segment. Bounded as
 * a whole and for each attachment, so that one station cannot push out the others. Ageing after IEEE 802.1Q
 * "Filtering Database", recommended Ageing Time 300 s. Time is the caller's monotonic clock in ms.
 */
import type { MacNumber } from './ethernet.ts';
import type { SegmentKey } from './port-group.ts';

/** Where a station is: behind a port of this switch, or at a peer host. */
export type Attachment =
  | { readonly kind: 'port'; readonly port: number }
  | { readonly kind: 'peer'; readonly host: string };

export interface MacTableLimits {
  readonly entriesMax: number;
  readonly entriesPerAttachmentMax: number;
  readonly ageingMs: number;
}

export const macTableLimitsDefault: MacTableLimits = {
  entriesMax: 65_536,
  entriesPerAttachmentMax: 4096,
  ageingMs: 300_000,
};

interface Entry {
  attachment: Attachment;
  seenMs: number;
}

/** A station that keeps talking is refreshed only this often: no map is written for each frame. */
const refreshMs = 1000;

export class MacTable {
  readonly #limits: MacTableLimits;
  readonly #bySegment = new Map<SegmentKey, Map<MacNumber, Entry>>();
  readonly #perAttachment = new Map<string, number>();
  #size = 0;
  #expiredMs = Number.NEGATIVE_INFINITY;

  constructor(limits: MacTableLimits = macTableLimitsDefault) {
    this.#limits = limits;
  }

  get size(): number {
    return this.#size;
  }

  lookup(segment: SegmentKey, mac: MacNumber, nowMs: number): Attachment | undefined {
    const entry = this.#bySegment.get(segment)?.get(mac);
    if (entry === undefined || nowMs - entry.seenMs >= this.#limits.ageingMs) return undefined;
    return entry.attachment;
  }

  /** Whether `learn` would change anything worth a write. */
  isNews(segment: SegmentKey, mac: MacNumber, attachment: Attachment, nowMs: number): boolean {
    const entry = this.#bySegment.get(segment)?.get(mac);
    if (entry === undefined || nowMs - entry.seenMs >= refreshMs) return true;
    return !isSameAttachment(entry.attachment, attachment);
  }

  /** False where the bounds forbid it; frames for such a station are flooded. */
  learn(segment: SegmentKey, mac: MacNumber, attachment: Attachment, nowMs: number): boolean {
    const known = this.#bySegment.get(segment)?.get(mac);
    if (known !== undefined && isSameAttachment(known.attachment, attachment)) {
      known.seenMs = nowMs;
      return true;
    }
    if (known !== undefined) this.forget(segment, mac);
    if (!this.#hasRoom(attachment, nowMs)) return false;
    const entries = this.#bySegment.get(segment) ?? new Map<MacNumber, Entry>();
    entries.set(mac, { attachment, seenMs: nowMs });
    this.#bySegment.set(segment, entries);
    this.#count(attachment, 1);
    return true;
  }

  forget(segment: SegmentKey, mac: MacNumber): void {
    const entries = this.#bySegment.get(segment);
    const entry = entries?.get(mac);
    if (entries === undefined || entry === undefined) return;
    entries.delete(mac);
    if (entries.size === 0) this.#bySegment.delete(segment);
    this.#count(entry.attachment, -1);
  }

  /** For a port that is gone or a peer that left. */
  forgetAttachment(attachment: Attachment): void {
    this.#forgetWhere((entry) => isSameAttachment(entry.attachment, attachment));
  }

  /** Drops what has aged; called now and then, as `lookup` ignores aged entries anyway. */
  expire(nowMs: number): void {
    this.#forgetWhere((entry) => nowMs - entry.seenMs >= this.#limits.ageingMs);
  }

  #forgetWhere(isUnwanted: (entry: Entry) => boolean): void {
    for (const [segment, entries] of this.#bySegment) {
      for (const [mac, entry] of entries) {
        if (isUnwanted(entry)) this.forget(segment, mac);
      }
    }
  }

  #hasRoom(attachment: Attachment, nowMs: number): boolean {
    if (this.#isBelowLimits(attachment)) return true;
    if (nowMs - this.#expiredMs < refreshMs) return false; // a full table must not cost a scan for each frame
    this.#expiredMs = nowMs;
    this.expire(nowMs);
    return this.#isBelowLimits(attachment);
  }

  #isBelowLimits(attachment: Attachment): boolean {
    if (this.#size >= this.#limits.entriesMax) return false;
    return (this.#perAttachment.get(attachmentKey(attachment)) ?? 0) < this.#limits.entriesPerAttachmentMax;
  }

  #count(attachment: Attachment, change: 1 | -1): void {
    const key = attachmentKey(attachment);
    const count = (this.#perAttachment.get(key) ?? 0) + change;
    if (count === 0) this.#perAttachment.delete(key);
    else this.#perAttachment.set(key, count);
    this.#size += change;
  }
}

function attachmentKey(attachment: Attachment): string {
  return attachment.kind === 'port' ? `port ${attachment.port}` : `peer ${attachment.host}`;
}

function isSameAttachment(a: Attachment, b: Attachment): boolean {
  if (a.kind === 'port') return b.kind === 'port' && a.port === b.port;
  return b.kind === 'peer' && a.host === b.host;
}
