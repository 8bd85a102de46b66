import { describe, expect, it } from 'vitest';
import { parsePingSummary } from './ping-summary.ts';

describe('what ping prints at its end', () => {
  it('is found in what it prints', () => {
    const text =
      '\n--- 10.77.0.12 ping statistics ---\n5 packets transmitted, 4 packets received, 20% packet loss\n';
    expect(parsePingSummary(text)).toEqual({ sent: 5, received: 4 });
    expect(parsePingSummary('ping: bad address')).toBeNull();
  });
});
