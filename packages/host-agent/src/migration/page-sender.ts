/**
 * Sends pages of a machine's RAM: copies each once into a batch, drops those that are zero, hashes the rest, and
 * sends batches as credits allow. The vCPU may run meanwhile; what it dirties after the copy is a later round's.
 */
import { type CoreModules, type MachineMemory, pagesOf } from '@skein/machine';
import { batchBytesMax, type migrationProtocol, OperationError, PageBatchWriter } from '@skein/shared';
import { type Link, SendCredits } from '@skein/transport';
import { PageHashes } from './page-hashes.ts';
import { PageKernel } from './page-kernel.ts';

/** On their way and not yet applied. Measured: full rate from 1 MiB on, and a window that fits a core's cache is faster. */
export const windowBytes = 2 << 20;
/**
 * A batch's memory is reused only after it was acknowledged. One window of full batches, and those being filled;
 * batches of zero pages are small, so for them they run out before credits do, and the sender waits.
 */
export const batchesOnTheWayMax = Math.ceil(windowBytes / batchBytesMax) + 4;
/** So much is sent before the event loop gets a turn, for acknowledgements and cancellation. */
const batchesPerTurn = 8;

export interface SentPages {
  readonly pages: number;
  readonly zeroPages: number;
  readonly deltaPages: number;
  /** On the wire. */
  readonly bytes: number;
  /** What it would have been without compression. */
  readonly uncompressedBytes: number;
}

export class PageSender {
  readonly hashes: PageHashes;
  readonly #link: Link<typeof migrationProtocol, 'listener'>;
  readonly #kernel: PageKernel;
  readonly #credits = new SendCredits(windowBytes);
  readonly #writers: readonly PageBatchWriter[];
  #wake: (() => void) | null = null;
  #batches = 0;
  /** Lengths of the frames on their way, oldest first, and what of the oldest is acknowledged. */
  readonly #onTheWay: number[] = [];
  #acknowledgedBytes = 0;
  #failure: Error | null = null;

  constructor(modules: CoreModules, memory: MachineMemory, link: Link<typeof migrationProtocol, 'listener'>) {
    this.#link = link;
    this.hashes = new PageHashes(memory.pages);
    this.#kernel = new PageKernel(modules, memory, batchesOnTheWayMax * batchBytesMax);
    this.#writers = Array.from({ length: batchesOnTheWayMax }, (_, slot) => {
      const start = PageKernel.start + slot * batchBytesMax;
      return new PageBatchWriter(this.#kernel.bytes.subarray(start, start + batchBytesMax));
    });
    void link.closed.then((reason) =>
      this.fail(new OperationError({ code: 'link.closed', message: reason.message })),
    );
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

  /** The peer applied so many bytes of bulk. */
  acknowledged(bytes: number): void {
    if (!this.#credits.acknowledged(bytes)) {
      this.fail(
        new OperationError({
          code: 'link.bad-message',
          message: 'the target acknowledges what was never sent',
        }),
      );
    }
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
  }

  /** Resolves when all pages of the bitmap are sent, not yet applied. @throws OperationError link.closed */
  async send(bitmap: Uint32Array, round: number): Promise<SentPages> {
    let pages = 0;
    let zeroPages = 0;
    let bytes = 0;
    let writer = await this.#nextWriter();
    for (const page of pagesOf(bitmap)) {
      if (this.#fill(writer, page)) zeroPages += 1;
      pages += 1;
      if (!writer.isFull) continue;
      bytes += await this.#sendBatch(writer, round);
      writer = await this.#nextWriter();
    }
    if (!writer.isEmpty) bytes += await this.#sendBatch(writer, round);
    return { pages, zeroPages, deltaPages: 0, bytes, uncompressedBytes: bytes };
  }

  /** Resolves when everything sent was applied. */
  async drained(): Promise<void> {
    while (this.#credits.onTheWayBytes > 0) await this.#acknowledgement();
    if (this.#failure !== null) throw this.#failure;
  }

  /** One copy; everything else uses it. Returns true for a zero page. */
  #fill(writer: PageBatchWriter, page: number): boolean {
    const offset = writer.nextPageOffset;
    const pointer = writer.bytes.byteOffset + offset;
    this.#kernel.copyFromLive(page, pointer);
    if (this.#kernel.isZero(pointer)) {
      writer.addZero(page);
      this.hashes.set(page, 0n);
      return true;
    }
    const hash = this.#kernel.hash(pointer, page);
    writer.addRaw(page, hash);
    this.hashes.set(page, hash);
    return false;
  }

  async #nextWriter(): Promise<PageBatchWriter> {
    while (this.#onTheWay.length >= batchesOnTheWayMax) await this.#acknowledgement();
    const writer = this.#writers[this.#batches % batchesOnTheWayMax] as PageBatchWriter;
    writer.clear();
    return writer;
  }

  async #sendBatch(writer: PageBatchWriter, round: number): Promise<number> {
    const frame = writer.finish(round, this.#batches);
    while (!this.#credits.maySend(frame.length)) await this.#acknowledgement();
    if (this.#failure !== null) throw this.#failure;
    this.#credits.sent(frame.length);
    this.#onTheWay.push(frame.length);
    this.#link.sendBulk(frame);
    this.#batches += 1;
    if (this.#batches % batchesPerTurn === 0) await new Promise<void>((resolve) => setImmediate(resolve));
    return frame.length;
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
