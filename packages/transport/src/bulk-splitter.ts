/**
 * The reading side of a connection that carries bulk: the socket reads into one buffer of ours, whole bulk frames are
 * handed on where they stand, and every other byte goes to ws unchanged, which stays the judge of all else. Without it
 * each 64 KiB is allocated, joined and collected as garbage on its way (docs/decisions/0004-bulk-is-read-in-place.md).
 * Frames as in RFC 6455, "Base Framing Protocol"; a client's side: what a server sends is unmasked.
 */
import { invariant } from '@skein/shared';
import { finalBinary, longLength, mediumLength } from './frame-header.ts';
import { bulkKind } from './wire.ts';

export interface BulkSinks {
  /** May a bulk frame overtake what `pass` was given? Only if all of that has been read. */
  readonly isTakingBulk: () => boolean;
  /** One whole frame's payload, `payload[0]` being the bulk kind: a view that is valid during the call only. */
  readonly bulk: (payload: Uint8Array) => void;
  /** The stream's other bytes, in order: a view that is valid during the call only. */
  readonly pass: (bytes: Uint8Array) => void;
}

/** A read of fewer bytes than this costs more than moving what is left to the buffer's beginning. */
const readBytesMin = 64 << 10;
const wordBytes = 8;
const finalBit = 0x80;
const opcodeMask = 0x0f;
/** Opcodes from here on are control frames, which may stand between the fragments of a message. */
const firstControlOpcode = 8;
const maskBit = 0x80;

interface FrameHeader {
  readonly first: number;
  readonly isMasked: boolean;
  readonly headerBytes: number;
  /** Infinity for a length beyond what a number holds exactly: ws refuses it. */
  readonly payloadBytes: number;
}

export class BulkSplitter {
  readonly #buffer: Uint8Array;
  readonly #sinks: BulkSinks;
  /** Bytes of the buffer that were read and not consumed. */
  #start = 0;
  #end = 0;
  /** Characters seen of the empty line that ends the response's head; null behind it. */
  #headEnd: number | null = 0;
  /** Of the frame that is being passed on. */
  #leftToPass = 0;
  #isInFragments = false;

  /** `buffer` must hold the largest frame to be handed on and a read beside it; larger frames go to ws. */
  constructor(buffer: Uint8Array, sinks: BulkSinks) {
    invariant(buffer.length >= 2 * readBytesMin, 'a bulk buffer holds two reads');
    this.#buffer = buffer;
    this.#sinks = sinks;
  }

  /** Where the next bytes of the connection belong. */
  get room(): Uint8Array {
    if (this.#start === this.#end) {
      this.#start = 0;
      this.#end = 0;
    } else if (this.#buffer.length - this.#end < readBytesMin) {
      // Aligned alike where a read still fits, for in shared memory V8 copies byte by byte what is not (Relaxed_Memmove).
      const startMax = this.#buffer.length - readBytesMin - (this.#end - this.#start);
      const start = this.#start % wordBytes <= startMax ? this.#start % wordBytes : 0;
      this.#buffer.copyWithin(start, this.#start, this.#end);
      this.#end -= this.#start - start;
      this.#start = start;
    }
    return this.#buffer.subarray(this.#end);
  }

  /** So many bytes were read into `room`. */
  received(bytes: number): void {
    this.#end += bytes;
    invariant(this.#end <= this.#buffer.length, 'a read stays in its room');
    if (this.#headEnd !== null) this.#passHead();
    while (this.#start < this.#end && this.#headEnd === null) {
      if (this.#leftToPass > 0) this.#passOn();
      else if (!this.#takeFrame()) return;
    }
  }

  /** The HTTP response that opens a WebSocket has no body: it ends with an empty line. */
  #passHead(): void {
    const emptyLine = '\r\n\r\n';
    let at = this.#start;
    let seen = this.#headEnd ?? 0;
    while (at < this.#end && seen < emptyLine.length) {
      const byte = this.#buffer[at++];
      if (byte === emptyLine.charCodeAt(seen)) seen += 1;
      else seen = byte === emptyLine.charCodeAt(0) ? 1 : 0;
    }
    this.#headEnd = seen === emptyLine.length ? null : seen;
    this.#pass(at - this.#start);
  }

  #passOn(): void {
    const bytes = Math.min(this.#leftToPass, this.#end - this.#start);
    this.#leftToPass -= bytes;
    this.#pass(bytes);
  }

  #pass(bytes: number): void {
    const start = this.#start;
    this.#start += bytes;
    if (bytes > 0) this.#sinks.pass(this.#buffer.subarray(start, start + bytes));
  }

  /** False: more must be read first. */
  #takeFrame(): boolean {
    const header = this.#header();
    if (header === null) return false;
    const frameBytes = header.headerBytes + header.payloadBytes;
    if (!this.#isForUs(header)) {
      this.#noteFragment(header.first);
      this.#leftToPass = frameBytes;
      return true;
    }
    if (this.#end - this.#start <= header.headerBytes) return false; // Its kind has not come.
    if (this.#buffer[this.#start + header.headerBytes] !== bulkKind) {
      this.#leftToPass = frameBytes;
      return true;
    }
    if (this.#end - this.#start < frameBytes) return false;
    const payloadStart = this.#start + header.headerBytes;
    this.#start += frameBytes;
    this.#sinks.bulk(this.#buffer.subarray(payloadStart, this.#start));
    return true;
  }

  #isForUs({ first, isMasked, headerBytes, payloadBytes }: FrameHeader): boolean {
    if (first !== finalBinary || isMasked || this.#isInFragments || payloadBytes === 0) return false;
    return headerBytes + payloadBytes <= this.#buffer.length - readBytesMin && this.#sinks.isTakingBulk();
  }

  #noteFragment(first: number): void {
    if ((first & opcodeMask) < firstControlOpcode) this.#isInFragments = (first & finalBit) === 0;
  }

  #header(): FrameHeader | null {
    const available = this.#end - this.#start;
    if (available < 2) return null;
    const first = this.#buffer[this.#start] ?? 0;
    const second = this.#buffer[this.#start + 1] ?? 0;
    const isMasked = (second & maskBit) !== 0;
    const shortLength = second & ~maskBit;
    const lengthBytes = shortLength === longLength ? 8 : shortLength === mediumLength ? 2 : 0;
    if (available < 2 + lengthBytes) return null;
    const view = new DataView(this.#buffer.buffer, this.#buffer.byteOffset + this.#start + 2, lengthBytes);
    let payloadBytes = shortLength;
    if (lengthBytes === 2) payloadBytes = view.getUint16(0);
    if (lengthBytes === 8) payloadBytes = longPayload(view);
    return { first, isMasked, headerBytes: 2 + lengthBytes + (isMasked ? 4 : 0), payloadBytes };
  }
}

function longPayload(view: DataView): number {
  const length = view.getUint32(0) * 2 ** 32 + view.getUint32(4);
  return Number.isSafeInteger(length) ? length : Number.POSITIVE_INFINITY;
}
