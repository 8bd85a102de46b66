import { batchBytesMax } from '@skein/shared';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { SendPace } from './send-pace.ts';

describe('a bandwidth cap', () => {
  it('lets no more through than the cap and one burst, and wastes no more than a frame of it', () => {
    const frames = fc.array(fc.integer({ min: 100, max: batchBytesMax }), { minLength: 50, maxLength: 400 });
    fc.assert(
      fc.property(fc.integer({ min: 100_000, max: 1_000_000_000 }), frames, (bytesPerS, sizes) => {
        const pace = new SendPace(bytesPerS, 0);
        let nowMs = 0;
        let sent = 0;
        for (const bytes of sizes) {
          nowMs += pace.take(bytes, nowMs);
          sent += bytes;
        }
        const allowed = (bytesPerS * (nowMs + 20)) / 1000;
        expect(sent).toBeLessThanOrEqual(allowed * 1.001 + 1);
        if (nowMs > 0) expect(sent).toBeGreaterThanOrEqual((bytesPerS * nowMs) / 1000 - 1);
      }),
    );
  });
});
