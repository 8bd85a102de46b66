/** Compresses page batches where that pays (core/compression.ts), and measures whether it does. zstd at its fastest level. */
import { constants, zstdCompressSync } from 'node:zlib';
import type { CompressionChoice, PageBatchWriter } from '@skein/shared';
import { type CompressionState, noteSample, startCompression } from '../core/compression.ts';

const options = { params: { [constants.ZSTD_c_compressionLevel]: 1 } };
/** Guest memory between two looks at what it cost. */
const sampleBytes = 1 << 20;
/** On a slow link so much takes long, and less tells enough. */
const sampleMsMax = 100;
/** Shorter data are not worth the call. */
const dataBytesMin = 1024;

export class BatchCompressor {
  readonly #choice: CompressionChoice;
  #state: CompressionState;
  readonly #windowBytes: number;
  /** Of the window: what goes into it says nothing about the link. */
  #unfilledBytes: number;
  #sample = emptySample();

  /** `windowBytes`: so much is taken before anything of it was applied. */
  constructor(choice: CompressionChoice, windowBytes: number) {
    this.#choice = choice;
    this.#windowBytes = windowBytes;
    this.#unfilledBytes = windowBytes;
    this.#state = startCompression(choice);
  }

  /** What was found out so far. */
  get state(): CompressionState {
    return this.#state;
  }

  /** The frame to send. */
  finish(writer: PageBatchWriter, round: number, sequence: number): Uint8Array {
    const { data } = writer;
    if (this.#state.isOn && data.length >= dataBytesMin) {
      const compressed = zstdCompressSync(data, options);
      if (compressed.length < data.length) return writer.finishCompressed(round, sequence, compressed);
    }
    return writer.finish(round, sequence);
  }

  /** A frame has been given to the link, after whatever wait. */
  sent(rawBytes: number, wireBytes: number): void {
    if (this.#unfilledBytes > 0) {
      this.#unfilledBytes -= wireBytes;
      this.#sample = emptySample();
      return;
    }
    this.#sample.rawBytes += rawBytes;
    this.#sample.wireBytes += wireBytes;
    const elapsedMs = performance.now() - this.#sample.startedMs;
    if (this.#sample.rawBytes < sampleBytes && elapsedMs < sampleMsMax) return;
    const { isOn: isCompressed } = this.#state;
    const { rawBytes: raw, wireBytes: wire } = this.#sample;
    this.#state = noteSample(
      this.#state,
      { isCompressed, rawBytes: raw, wireBytes: wire, elapsedMs },
      this.#choice,
    );
    this.#sample = emptySample();
  }

  /** A round begins: what lies between is no time of the link's, and its window is empty. */
  begin(): void {
    this.#unfilledBytes = this.#windowBytes;
    this.#sample = emptySample();
  }
}

function emptySample(): { rawBytes: number; wireBytes: number; startedMs: number } {
  return { rawBytes: 0, wireBytes: 0, startedMs: performance.now() };
}
