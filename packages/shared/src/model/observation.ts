/**
 * What an observer beside a migration measured: the downtime by the guest's clock and by the network's. Neither host can know
 * it: the guest was stopped meanwhile, and the network is what others see of it.
 */
import { z } from 'zod';

const gapMs = z.number().min(0).max(3_600_000);
const count = z.int().min(0).max(1_000_000_000);

/** Of readings that came one after the other, from the order to the guest's first one after the end. */
export const ObservedGap = z.strictObject({
  /** The longest time between two of them, on the clock of whoever made them. */
  gapMs,
  /** The same right before the migration, over as long a time; null: less than two readings were heard then. */
  controlGapMs: gapMs.nullable(),
  readings: count,
  /** Missing among them: ticks that the console dropped, pings that nobody answered. */
  lost: count,
});
export type ObservedGap = z.infer<typeof ObservedGap>;

/** Null: nobody observed it, or nothing was heard of it again. */
export const MigrationObservation = z.strictObject({
  /** By the guest's clock: ticks of a program in it. */
  guest: ObservedGap.nullable(),
  /** By the network's: answers of the guest to an observer that pings it. */
  network: ObservedGap.nullable(),
});
export type MigrationObservation = z.infer<typeof MigrationObservation>;
