/**
 * Whether compressing pages pays: both ways are tried for a while and the one by which more of the guest's memory got
 * through is kept, until the next trial. So the link's speed, this CPU's and what the pages hold all count as they are.
 */
import type { CompressionChoice } from '@skein/shared';

/** Pages sent in one way without a change. */
export interface CompressionSample {
  readonly isCompressed: boolean;
  /** Before compression. */
  readonly rawBytes: number;
  readonly wireBytes: number;
  readonly elapsedMs: number;
}

export interface CompressionState {
  readonly isOn: boolean;
  /** Of guest memory, the last few, latest first. */
  readonly plainBytesPerS: readonly number[];
  readonly compressedBytesPerS: readonly number[];
  /** How much shorter pages got when it was tried last. */
  readonly ratio: number | null;
  readonly samplesSinceTrial: number;
}

/** So many samples are sent in the better way before the other one is tried again. */
const trialPeriod = 64;
/** zstd's level 1 does not keep up with a link that is faster than this (design: Moving memory, 2 Gbit/s). */
const worthTryingBytesPerS = 250e6;
/** Less is not worth the CPU. */
const gainMin = 1.05;
/** A thread that had to wait for a core makes one sample slow, and says nothing about the link. */
const ratesKept = 5;

export function startCompression(choice: CompressionChoice): CompressionState {
  return {
    isOn: choice === 'always',
    plainBytesPerS: [],
    compressedBytesPerS: [],
    ratio: null,
    samplesSinceTrial: 0,
  };
}

/** `sample`: of a link whose window was full. */
export function noteSample(
  state: CompressionState,
  sample: CompressionSample,
  choice: CompressionChoice,
): CompressionState {
  const { isCompressed, rawBytes, wireBytes, elapsedMs } = sample;
  if (elapsedMs <= 0) return state;
  const bytesPerS = (rawBytes / elapsedMs) * 1000;
  const noted: CompressionState = {
    ...state,
    samplesSinceTrial: state.samplesSinceTrial + 1,
    ...(isCompressed
      ? {
          compressedBytesPerS: kept(bytesPerS, state.compressedBytesPerS),
          ratio: wireBytes > 0 ? rawBytes / wireBytes : 1,
        }
      : { plainBytesPerS: kept(bytesPerS, state.plainBytesPerS) }),
  };
  return choice === 'auto' ? decide(noted) : noted;
}

function kept(latest: number, rates: readonly number[]): readonly number[] {
  return [latest, ...rates].slice(0, ratesKept);
}

function decide(state: CompressionState): CompressionState {
  const { plainBytesPerS: plain, compressedBytesPerS: compressed } = state;
  if (plain.length < ratesKept) return { ...state, isOn: false };
  const mayPay = Math.max(...plain) < worthTryingBytesPerS;
  if (compressed.length === 0) return { ...state, isOn: mayPay, samplesSinceTrial: 0 };
  const isBetter = median(compressed) > median(plain) * gainMin;
  if (state.samplesSinceTrial < trialPeriod) return { ...state, isOn: isBetter };
  return { ...state, isOn: !isBetter && mayPay, samplesSinceTrial: 0 };
}

/** Of an even number the lower of the two in the middle. */
function median(rates: readonly number[]): number {
  const sorted = [...rates].sort((left, right) => left - right);
  return sorted[(sorted.length - 1) >> 1] ?? 0;
}
