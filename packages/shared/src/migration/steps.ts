/**
 * The steps of a live migration by name, in their order, and the places between them at which a test or a person can
 * hold it (design: safety, Commit point of a migration; transport: failpoint.ts; docs/guide/failpoints.md).
 */

export const migrationSteps = [
  /** The coordinator records what was asked for. */
  'intent',
  /** The target's agent takes memory and a vCPU. */
  'reserve',
  'pre-copy',
  /** The source's vCPU stops. */
  'suspend',
  /** The source's disk requests end and are flushed. */
  'drain',
  /** State of CPU and devices, the last pages, and the hash of all go to the target. */
  'final-state',
  /** The target compares the hash with that of what it applied, and is ready. */
  'verify',
  /** The lease passes from source to target: the commit. */
  'lease-pass',
  'resume',
  /** The target's agent plugs the guest's ports in and tells the switches where its addresses are. */
  'announce',
  /** The source's agent frees its copy. */
  'destroy',
  /** The coordinator records the end. */
  'close',
] as const;

export type MigrationStep = (typeof migrationSteps)[number];

export type MigrationFailpoint =
  | `migration.${MigrationStep}.${'before' | 'after'}`
  /** At the storage service: the pass is durable, and nobody was told yet. */
  | 'migration.lease-pass.recorded'
  /** At the source, in a post-copy migration: committed, and pages are missing at the target. */
  | 'migration.post-copy.push';
