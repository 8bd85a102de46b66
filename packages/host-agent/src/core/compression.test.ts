import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type CompressionState, noteSample, startCompression } from './compression.ts';

interface Link {
  readonly bytesPerS: number;
  readonly compressBytesPerS: number;
  readonly ratio: number;
}

const windowBytes = 1 << 20;

/** A link on which a window takes as long as the slower of wire and CPU. */
function sendWindows(
  link: Link,
  windows: number,
): { state: CompressionState; compressed: number; elapsedMs: number } {
  let state = startCompression('auto');
  let compressed = 0;
  let total = 0;
  for (let index = 0; index < windows; index++) {
    const isCompressed = state.isOn;
    const wireBytes = isCompressed ? windowBytes / link.ratio : windowBytes;
    const wireMs = (wireBytes / link.bytesPerS) * 1000;
    const cpuMs = isCompressed ? (windowBytes / link.compressBytesPerS) * 1000 : 0;
    const elapsedMs = Math.max(wireMs, cpuMs);
    compressed += isCompressed ? 1 : 0;
    total += elapsedMs;
    state = noteSample(state, { isCompressed, rawBytes: windowBytes, wireBytes, elapsedMs }, 'auto');
  }
  return { state, compressed, elapsedMs: total };
}

describe('compressing pages', () => {
  it('is done on a slow link for pages that get shorter', () => {
    const { compressed } = sendWindows({ bytesPerS: 12e6, compressBytesPerS: 300e6, ratio: 3 }, 100);
    expect(compressed).toBeGreaterThan(90);
  });

  it('is not even tried on a fast link', () => {
    const { compressed } = sendWindows({ bytesPerS: 600e6, compressBytesPerS: 300e6, ratio: 3 }, 100);
    expect(compressed).toBe(0);
  });

  it('is not tried for single samples that were slow', () => {
    let state = startCompression('auto');
    for (let index = 0; index < 100; index++) {
      const elapsedMs = index % 3 === 0 ? 9 : 1.5;
      const sample = { isCompressed: state.isOn, rawBytes: windowBytes, wireBytes: windowBytes, elapsedMs };
      state = noteSample(state, sample, 'auto');
      expect(state.isOn).toBe(false);
    }
  });

  it('is not taken for better because plain pages were slow once', () => {
    let state = startCompression('auto');
    let compressed = 0;
    for (let index = 0; index < 60; index++) {
      const { isOn: isCompressed } = state;
      compressed += isCompressed ? 1 : 0;
      const elapsedMs = isCompressed ? 6 : index % 3 === 0 ? 20 : 5;
      const sample = { isCompressed, rawBytes: windowBytes, wireBytes: windowBytes, elapsedMs };
      state = noteSample(state, sample, 'auto');
    }
    expect(compressed).toBe(1);
  });

  it('is given up for pages that do not get shorter, and tried again now and then', () => {
    const { compressed } = sendWindows({ bytesPerS: 12e6, compressBytesPerS: 300e6, ratio: 1 }, 200);
    expect(compressed).toBeGreaterThanOrEqual(2);
    expect(compressed).toBeLessThan(8);
  });

  it('never costs more than a few windows of the better way', () => {
    const links = fc.record({
      bytesPerS: fc.integer({ min: 1_000_000, max: 1_000_000_000 }),
      compressBytesPerS: fc.integer({ min: 100_000_000, max: 800_000_000 }),
      ratio: fc.double({ min: 1, max: 10, noNaN: true }),
    });
    fc.assert(
      fc.property(links, (link) => {
        const windows = 300;
        const plainMs = (windowBytes / link.bytesPerS) * 1000;
        const compressedMs = Math.max(plainMs / link.ratio, (windowBytes / link.compressBytesPerS) * 1000);
        const { elapsedMs } = sendWindows(link, windows);
        const best = windows * Math.min(plainMs, compressedMs);
        const trials = 8 * Math.max(plainMs, compressedMs);
        // Links that are too fast to be worth a trial are never compressed.
        const bound = link.bytesPerS >= 250e6 ? windows * plainMs : best * 1.06 + trials;
        expect(elapsedMs).toBeLessThanOrEqual(bound * 1.0001);
      }),
    );
  });

  it('is done always or never when that is asked for', () => {
    const sample = { rawBytes: windowBytes, wireBytes: windowBytes, elapsedMs: 1 };
    for (const choice of ['always', 'never'] as const) {
      let state = startCompression(choice);
      for (let index = 0; index < 200; index++) {
        expect(state.isOn).toBe(choice === 'always');
        state = noteSample(state, { ...sample, isCompressed: state.isOn }, choice);
      }
    }
  });
});
