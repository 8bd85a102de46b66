import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { BatchCompressor } from './batch-compressor.ts';

const windowBytes = 4 << 20;
const frameBytes = 256 << 10;
let nowMs = 0;

beforeEach(() => {
  nowMs = 0;
  vi.spyOn(performance, 'now').mockImplementation(() => nowMs);
});
afterEach(() => {
  vi.restoreAllMocks();
});

/** So many bytes at this rate. */
function send(compressor: BatchCompressor, bytes: number, bytesPerS: number): void {
  for (let sent = 0; sent < bytes; sent += frameBytes) {
    nowMs += (frameBytes / bytesPerS) * 1000;
    compressor.sent(frameBytes, frameBytes);
  }
}

describe("what a link's speed is taken from", () => {
  it('is no byte that fills the window, in whichever round', () => {
    const compressor = new BatchCompressor('auto', windowBytes);
    for (let round = 1; round <= 2; round++) {
      compressor.begin();
      send(compressor, windowBytes, 5e9);
      send(compressor, 2 << 20, 10e6);
    }
    const { plainBytesPerS } = compressor.state;
    expect(plainBytesPerS.length).toBeGreaterThan(0);
    for (const rate of plainBytesPerS) expect(rate).toBeCloseTo(10e6, -3);
  });

  it('is as much of a slow link as a decision takes, and then it tries compression', () => {
    const compressor = new BatchCompressor('auto', windowBytes);
    compressor.begin();
    send(compressor, windowBytes, 5e9);
    expect(compressor.state.isOn).toBe(false);
    send(compressor, 5 << 20, 10e6);
    expect(compressor.state.isOn).toBe(true);
  });
});
