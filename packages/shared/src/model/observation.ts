/**
 * What an observer beside a migration measured: the downtime by the guest's clock and by the network's. Neither host can know
 * it: the guest was stopped meanwhile, and the network is what others see of it.
 */
import { z } from 'zod';

const durationMs = z.number().min(0);
const count = z.int().min(0);

/** Which of the clocks that no host of the migration has. */
export const ObservedClock = z.enum(['guest', 'network']);
export type ObservedClock = z.infer<typeof ObservedClock>;

/** The longest time between two readings that follow each other, on the clock of whoever makes them. */
export const ObservedGap = z.strictObject({
  gapMs: durationMs,
  /** False: no reading came any more, and the gap is at least this long. */
  hasEnded: z.boolean(),
  /** From the last reading before the order to the last one that was heard. */
  windowMs: durationMs,
  readings: z.int().min(1),
  /** Numbers that are missing among them: ticks that the console dropped, pings that nobody answered. */
  lost: count,
  /** The longest gap right before, without a migration; null: nothing was heard then. */
  controlGapMs: durationMs.nullable(),
  controlWindowMs: durationMs,
});
export type ObservedGap = z.infer<typeof ObservedGap>;

/** Null: nobody observed it. */
export const MigrationObservation = z.strictObject({
  /** By ticks of a program in the guest. */
  guest: ObservedGap.nullable(),
  /** By answers of the guest to a program elsewhere that pings it. */
  network: ObservedGap.nullable(),
});
export type MigrationObservation = z.infer<typeof MigrationObservation>;

export const nothingObserved: MigrationObservation = { guest: null, network: null };
