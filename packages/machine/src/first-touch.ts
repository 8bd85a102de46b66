/**
 * The host gives a machine now the memory in which its code will be decoded and its translations kept, so that a guest that
 * goes on in it need not wait for it page by page: one that has just arrived and works goes through 600 pages of the host's in
 * its first six milliseconds (measured: 3 to 5 us each, where a slice without them takes 150 us).
 */
import { type CoreModules, layoutOf } from './core-module.ts';

const hostPageBytes = 4096;
/** A quarter of a millisecond, where a page takes four microseconds. */
const pagesAStep = 64;
/** Tables that have an entry for each page of RAM are touched as far as a machine of this size needs them. */
const commonRamPages = (1024 * 1024 * 1024) / 4096;

interface Range {
  readonly from: number;
  readonly bytes: number;
}

/**
 * Touches it in steps, one for each value that is asked for, some 9 MiB in all. Changes nothing, so that it may go on while the
 * machine runs, and be done again.
 */
export function* firstTouches(modules: CoreModules, memory: WebAssembly.Memory): Generator<void, void, void> {
  const words = new Int32Array(memory.buffer);
  let left = pagesAStep;
  for (const { from, bytes } of touchedRanges(modules)) {
    for (let at = from; at < from + bytes; at += hostPageBytes) {
      // On x64 V8 has `add` and `or` read first: the host maps its page of zeros, and takes that away again on all of the process's processors.
      Atomics.compareExchange(words, at / 4, 0, 0);
      if (--left > 0) continue;
      left = pagesAStep;
      yield;
    }
  }
}

/** All of it, at once. */
export function touchFirst(modules: CoreModules, memory: WebAssembly.Memory): void {
  for (const _ of firstTouches(modules, memory));
}

function touchedRanges(modules: CoreModules): readonly Range[] {
  const at = (name: string): number => layoutOf(modules, name);
  const bitmapBytes = commonRamPages / 8;
  const bitmaps = ['TOUCHED', 'PRESENT', 'EPOCH', 'FREE'].map((name) => ({
    from: at(name),
    bytes: bitmapBytes,
  }));
  return [
    { from: 0, bytes: at('FAST') + at('FAST_INDICES') * at('FAST_STRIDE') },
    ...bitmaps,
    { from: at('CODE_SLOT'), bytes: commonRamPages * 2 },
    { from: at('CODE_PAGE'), bytes: at('USED_CODE') - at('CODE_PAGE') },
    { from: at('CODE_POOL'), bytes: at('CODE_POOL_BYTES') },
  ];
}
