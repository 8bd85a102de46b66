import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ReceiveCredits, SendCredits } from './credits.ts';

describe('credits', () => {
  it('bound what is on its way and never stall while the receiver applies', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 8, max: 1000 }),
        fc.array(fc.integer({ min: 1, max: 2000 })),
        (window, frames) => {
          const sender = new SendCredits(window);
          const receiver = new ReceiveCredits(window);
          const wire: number[] = [];
          let sent = 0;
          // The receiver applies one frame whenever the sender may not go on.
          while (sent < frames.length || wire.length > 0) {
            const frame = frames[sent];
            if (frame !== undefined && sender.maySend(frame)) {
              sender.sent(frame);
              wire.push(frame);
              sent += 1;
              expect(sender.onTheWayBytes).toBeLessThanOrEqual(Math.max(window, window / 4 + frame));
              continue;
            }
            const arrived = wire.shift();
            expect(arrived, 'the sender waits although nothing is on its way').toBeDefined();
            const isLast = sent === frames.length && wire.length === 0;
            const acknowledge = receiver.applied(arrived ?? 0) || (isLast ? receiver.flush() : 0);
            if (acknowledge > 0) expect(sender.acknowledged(acknowledge)).toBe(true);
          }
          expect(sender.onTheWayBytes).toBe(0);
        },
      ),
    );
  });

  it('refuse an acknowledgement of what was never sent', () => {
    const sender = new SendCredits(100);
    sender.sent(10);
    expect(sender.acknowledged(11)).toBe(false);
    expect(sender.acknowledged(-1)).toBe(false);
    expect(sender.acknowledged(Number.NaN)).toBe(false);
    expect(sender.onTheWayBytes).toBe(10);
  });

  it('stop a sender that does not wait for them', () => {
    const sender = new SendCredits(100);
    sender.sent(90);
    expect(sender.maySend(11)).toBe(false);
    expect(() => sender.sent(11)).toThrow('waits for credits');
  });
});
