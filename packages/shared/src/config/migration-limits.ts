/** How many migrations run at a time; in the coordinator's configuration, and in a cluster file, which goes first. */
import { z } from 'zod';

const limit = z.int().min(1).max(64);

/** A third one at a host would share its network and cores with two others, and make all three dirty more memory. */
export const migrationLimitsDefaults = { migrationsPerHostMax: 2, migrationsPerClusterMax: 4 } as const;

/** What a cluster file may say; where it says nothing the coordinator's configuration counts. */
export const GivenMigrationLimits = z
  .strictObject({
    /** As source and as target together. */
    migrationsPerHostMax: limit,
    migrationsPerClusterMax: limit,
  })
  .partial();

export const MigrationLimits = z.strictObject({
  migrationsPerHostMax: limit.default(migrationLimitsDefaults.migrationsPerHostMax),
  migrationsPerClusterMax: limit.default(migrationLimitsDefaults.migrationsPerClusterMax),
});
export type MigrationLimits = z.infer<typeof MigrationLimits>;
