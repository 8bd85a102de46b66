/**
 * Sends pages of a machine's RAM in batches, as credits and the bandwidth cap allow. The vCPU may run meanwhile; what it
 * dirties after a page's copy is a later round's.
 */
import { setTimeout as delay } from 'node:timers/promises';
import type { CoreModules, MachineMemory } from '@skein/machine';
import {
  batchDataBytesMax,
  type MigrationSettings,
  type migrationProtocol,
  migrationSettingsDefaults,
  OperationError,
  type PageBatchWriter,
  type RoundProgress,
} from '@skein/shared';
import { type Link, SendCredits } from '@skein/transport';
import type { CompressionState } from '../core/compression.ts';
import { roundProgress } from '../core/round-progress.ts';
import { SendPace } from '../core/send-pace.ts';
import { BatchCompressor } from './batch-compressor.ts';
import { ComingPages, type TellComing } from './coming-pages.ts';
import { bitmapBytes } from './page-bitmap.ts';
import { PageEncoder } from './page-encoder.ts';
import type { PageHashes } from './page-hashes.ts';

/** On their way and not yet applied. A quarter of it is acknowledged at a time: four batches (docs/decisions/0014-bulk-is-sent-in-place.md). */
export const windowBytes = 4 << 20;
/**
 * A batch's memory is reused only after it was acknowledged. One window of full batches, and those being filled;
 * batches of zero pages are small, so for them they run out before credits do, and the sender waits.
 */
export const batchesOnTheWayMax = Math.ceil(windowBytes / batchDataBytesMax) + 4;
/** So much is sent before the event loop gets a turn, for acknowledgements and cancellation. */
const batchesPerTurn = 4;

export interface SentPages {
  readonly pages: number;
  readonly zeroPages: number;
  /** Zero, for the guest does not need them: sent, as zero pages, only where they had been sent before. */
  readonly freePages: number;
  readonly deltaPages: number;
  /** Not sent: the guest wrote them again before their turn. They are none of `pages`. */
  readonly rewrittenPages: number;
  /** On the wire. */
  readonly bytes: number;
  /** What it would have been without compression. */
  readonly uncompressedBytes: number;
}

export type SenderSettings = Pick<MigrationSettings, 'bandwidthCapBytesPerS' | 'compression' | 'deltas'>;

export class PageSender {
  readonly #encoder: PageEncoder;
  readonly #compressor: BatchCompressor;
  readonly #pace: SendPace | null;
  readonly #link: Link<typeof migrationProtocol, 'listener'>;
  readonly #credits = new SendCredits(windowBytes);
  #wake: (() => void) | null = null;
  #batches = 0;
  /** Lengths of the frames on their way, oldest first, and what of the oldest is acknowledged. */
  readonly #onTheWay: number[] = [];
  #acknowledgedBytes = 0;
  #failure: Error | null = null;
  #progressOf: (() => RoundProgress) | null = null;

  constructor(
    modules: CoreModules,
    memory: MachineMemory,
    link: Link<typeof migrationProtocol, 'listener'>,
    settings: SenderSettings = migrationSettingsDefaults,
  ) {
    const { bandwidthCapBytesPerS: cap, compression, deltas } = settings;
    this.#link = link;
    this.#encoder = new PageEncoder({ modules, memory, batches: batchesOnTheWayMax, hasDeltas: deltas });
    this.#compressor = new BatchCompressor(compression, windowBytes);
    this.#pace = cap === null ? null : new SendPace(cap, performance.now());
    void link.closed.then((reason) =>
      this.fail(new OperationError({ code: 'link.closed', message: reason.message })),
    );
  }

  /** Of the pages as they were sent last. */
  get hashes(): PageHashes {
    return this.#encoder.hashes;
  }

  get compression(): CompressionState {
    return this.#compressor.state;
  }

  /** Bytes that were sent and not applied yet. */
  get onTheWayBytes(): number {
    return this.#credits.onTheWayBytes;
  }

  /** Batches sent so far. */
  get batches(): number {
    return this.#batches;
  }

  /** Ends every wait with this error. */
  fail(error: Error): void {
    this.#failure ??= error;
    this.#wake?.();
  }

  /** The peer applied so many bytes of bulk. False, and nothing is counted: so many are not on their way. */
  acknowledged(bytes: number): boolean {
    if (!this.#credits.acknowledged(bytes)) return false;
    this.#acknowledgedBytes += bytes;
    for (
      let [oldest] = this.#onTheWay;
      oldest !== undefined && oldest <= this.#acknowledgedBytes;
      [oldest] = this.#onTheWay
    ) {
      this.#acknowledgedBytes -= oldest;
      this.#onTheWay.shift();
    }
    this.#wake?.();
    return true;
  }

  /** Of the round that is being sent, or applied; null between rounds. */
  get progress(): RoundProgress | null {
    return this.#progressOf?.() ?? null;
  }

  /**
   * Resolves when all pages of the bitmap are sent, not yet applied. `isLast`: none of them will be sent again.
   * @throws OperationError link.closed
   */
  async send(bitmap: Uint32Array, round: number, { isLast = false } = {}): Promise<SentPages> {
    const sent = {
      ...{ pages: 0, zeroPages: 0, freePages: 0, deltaPages: 0, rewrittenPages: 0 },
      ...{ bytes: 0, uncompressedBytes: 0 },
    };
    let taken = 0;
    const way = { skipsFree: round === 1, keepsCopies: round > 1 && !isLast };
    const startedMs = performance.now();
    const pagesTotal = this.#encoder.list(bitmap);
    const coming =
      round === 1 && !isLast ? new ComingPages(this.#encoder, bitmap.length * 32, this.#tellComing) : null;
    this.#progressOf = () =>
      roundProgress({
        round,
        pages: taken,
        pagesTotal,
        bytes: sent.bytes,
        onTheWayBytes: this.#credits.onTheWayBytes,
        elapsedMs: performance.now() - startedMs,
      });
    this.#compressor.begin();
    while (taken < pagesTotal) {
      const writer = await this.#nextWriter();
      if (!this.#isLinkSlow) coming?.reach(this.#encoder.listed(taken));
      const filled = this.#encoder.fill(writer, { from: taken, end: pagesTotal, ...way });
      taken += filled.taken;
      sent.pages += filled.taken - filled.rewrittenPages;
      sent.rewrittenPages += filled.rewrittenPages;
      sent.zeroPages += filled.zeroPages;
      sent.freePages += filled.freePages;
      sent.deltaPages += filled.deltaPages;
      if (!writer.isEmpty) await this.#sendBatch(writer, round, sent);
    }
    return sent;
  }

  /** Of the round that is being sent: the guest has written these again, so that they must be sent later in any case. */
  leaveOut(bitmap: Uint32Array): void {
    this.#encoder.leaveOut(bitmap);
  }

  /** These pages are not sent now: the target's sum must not count what it may have of them. */
  withhold(bitmap: Uint32Array): void {
    this.hashes.forget(bitmap);
  }

  /** One batch of single pages, however much is on its way already. Whether compression pays is not tried with it. */
  async sendNow(
    pages: readonly number[],
    round: number,
  ): Promise<{ readonly bytes: number; readonly uncompressedBytes: number }> {
    const sent = { bytes: 0, uncompressedBytes: 0 };
    this.#compressor.begin();
    const writer = await this.#nextWriter();
    const end = this.#encoder.listNumbers(pages);
    this.#encoder.fill(writer, { from: 0, end, skipsFree: false, keepsCopies: false });
    await this.#sendBatch(writer, round, sent);
    return sent;
  }

  /** Resolves when no more than so much is on its way, or when someone nudges. */
  async hasRoom(onTheWayBytesMax: number): Promise<boolean> {
    if (this.#failure !== null) throw this.#failure;
    if (this.#credits.onTheWayBytes <= onTheWayBytesMax) return true;
    await this.#acknowledgement();
    return this.#credits.onTheWayBytes <= onTheWayBytesMax;
  }

  /** Ends a wait early: there is something else to look at. */
  nudge(): void {
    this.#wake?.();
  }

  /** Resolves when everything sent was applied. */
  async drained(): Promise<void> {
    while (this.#credits.onTheWayBytes > 0) await this.#acknowledgement();
    if (this.#failure !== null) throw this.#failure;
    this.#progressOf = null;
  }

  /** Then pages wait for it and not for their memory, and what is said to come may be zero, or free, when its turn comes. */
  get #isLinkSlow(): boolean {
    return this.#pace !== null || this.#compressor.state.isOn;
  }

  readonly #tellComing: TellComing = (firstPage, pages) => {
    this.#link.notify('pages.coming', { firstPage, pages: bitmapBytes(pages) });
  };

  async #nextWriter(): Promise<PageBatchWriter> {
    while (this.#onTheWay.length >= batchesOnTheWayMax) await this.#acknowledgement();
    return this.#encoder.writer(this.#batches);
  }

  async #sendBatch(
    writer: PageBatchWriter,
    round: number,
    sent: { bytes: number; uncompressedBytes: number },
  ): Promise<void> {
    const frame = this.#compressor.finish(writer, round, this.#batches);
    const plainBytes = writer.frameBytes;
    const waitMs = this.#pace?.take(frame.length, performance.now()) ?? 0;
    // A timer is no finer than a millisecond: what is less adds up.
    if (waitMs >= 1) await delay(waitMs);
    while (!this.#credits.maySend(frame.length)) await this.#acknowledgement();
    if (this.#failure !== null) throw this.#failure;
    this.#credits.sent(frame.length);
    this.#onTheWay.push(frame.length);
    this.#link.sendBulkInPlace(frame);
    this.#compressor.sent(plainBytes, frame.length);
    this.#batches += 1;
    sent.bytes += frame.length;
    sent.uncompressedBytes += plainBytes;
    if (this.#batches % batchesPerTurn === 0) await new Promise<void>((resolve) => setImmediate(resolve));
  }

  #acknowledgement(): Promise<void> {
    if (this.#failure !== null) return Promise.reject(this.#failure);
    return new Promise((resolve, reject) => {
      this.#wake = () => {
        this.#wake = null;
        if (this.#failure === null) resolve();
        else reject(this.#failure);
      };
    });
  }
}
