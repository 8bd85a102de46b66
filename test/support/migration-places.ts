/** Where a migration can be held: every failpoint once, in the order in which a migration comes by. */
import { migrationSteps } from '@skein/shared';
import type { Failpoint } from '@skein/transport';

export interface Place {
  readonly point: Failpoint;
  /** Other names of the same place: one thread passes them without doing anything between them. */
  readonly alsoNamed: readonly Failpoint[];
  /** Whoever reads the lease here finds the target's. */
  readonly isCommitted: boolean;
}

const alsoNamed: Partial<Record<Failpoint, readonly Failpoint[]>> = {
  'migration.pre-copy.after': ['migration.suspend.before'],
  // Guests of a cluster have no disks: there is nothing to drain.
  'migration.suspend.after': [
    'migration.drain.before',
    'migration.drain.after',
    'migration.final-state.before',
  ],
};

const aliases: ReadonlySet<Failpoint> = new Set(Object.values(alsoNamed).flat());

/** Of any migration. */
export const failpointsInOrder: readonly Failpoint[] = migrationSteps.flatMap((step): Failpoint[] =>
  step === 'lease-pass'
    ? ['migration.lease-pass.before', 'migration.lease-pass.recorded', 'migration.lease-pass.after']
    : [`migration.${step}.before`, `migration.${step}.after`],
);

const commit = failpointsInOrder.indexOf('migration.lease-pass.recorded');

export const places: readonly Place[] = failpointsInOrder
  .filter((point) => !aliases.has(point))
  .map((point) => ({
    point,
    alsoNamed: alsoNamed[point] ?? [],
    isCommitted: failpointsInOrder.indexOf(point) >= commit,
  }));

/** Of a migration in post-copy mode: around its commit, and behind it while the target misses pages. */
const postcopyPoints: readonly Failpoint[] = [
  'migration.suspend.after',
  'migration.verify.after',
  'migration.lease-pass.before',
  'migration.lease-pass.recorded',
  'migration.lease-pass.after',
  'migration.resume.before',
];

export const postcopyPlaces: readonly Place[] = [
  ...places.filter(({ point }) => postcopyPoints.includes(point)),
  { point: 'migration.post-copy.push', alsoNamed: [], isCommitted: true },
];
