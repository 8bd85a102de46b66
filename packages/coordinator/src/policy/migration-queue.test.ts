import { migrationLimitsDefaults } from '@skein/shared';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type ActiveMigration, explainPlace, planMigrations, type QueuePlan } from './migration-queue.ts';

const limits = migrationLimitsDefaults;

/** `h1-h2` runs from h1 to h2, `h1-h2?` waits; the names are a, b, c, ... in the order asked for. */
function migrations(...routes: readonly string[]): ActiveMigration[] {
  return routes.map((route, index) => {
    const [source = '', target = ''] = route.replace('?', '').split('-');
    const vmName = String.fromCharCode('a'.charCodeAt(0) + index);
    return { operation: vmName, vmName, source, target, isWaiting: route.endsWith('?') };
  });
}

const told = (plan: QueuePlan): string[] =>
  plan.waits.map((waiting) => `${waiting.operation}: ${explainPlace(waiting)}`);

describe('a migration that is asked for', () => {
  it('[MQ-1] begins at once while its hosts and the cluster have places', () => {
    expect(planMigrations(migrations('h1-h2', 'h1-h3?'), limits)).toEqual({ starts: ['b'], waits: [] });
  });

  it('[MQ-1] waits for a host that has two already, as source or as target', () => {
    const plan = planMigrations(migrations('h1-h2', 'h3-h1', 'h1-h4?', 'h5-h1?'), limits);
    expect(plan.starts).toEqual([]);
    expect(told(plan)).toEqual([
      'c: place 1 of 2; h1 has 2 migrations',
      'd: place 2 of 2; h1 has 2 migrations',
    ]);
  });

  it('[MQ-1] waits while the cluster has four', () => {
    const plan = planMigrations(migrations('h1-h2', 'h1-h2', 'h3-h4', 'h3-h4', 'h5-h6?'), limits);
    expect(told(plan)).toEqual(['e: place 1 of 1; the cluster has 4 migrations']);
  });

  it('[MQ-1] does so under other limits as well', () => {
    const one = { migrationsPerHostMax: 1, migrationsPerClusterMax: 1 };
    expect(told(planMigrations(migrations('h1-h2', 'h1-h3?'), one))).toEqual([
      'b: place 1 of 1; h1 has 1 migration; the cluster has 1 migration',
    ]);
  });

  it('[MQ-2] begins before an older one if it takes nothing that the older one waits for', () => {
    const plan = planMigrations(migrations('h1-h2', 'h1-h2', 'h1-h3?', 'h4-h5?'), limits);
    expect(plan.starts).toEqual(['d']);
    expect(told(plan)).toEqual(['c: place 1 of 1; h1 has 2 migrations']);
  });

  it('[MQ-2] may use the second place of a host of which an older one needs one', () => {
    const plan = planMigrations(migrations('h1-h2', 'h1-h2', 'h1-h3?', 'h4-h3?', 'h5-h3?'), limits);
    expect(plan.starts).toEqual(['d']);
    expect(told(plan)).toEqual([
      'c: place 1 of 2; h1 has 2 migrations',
      'e: place 2 of 2; h3 has 1 migration, and c asked before',
    ]);
  });

  it('[MQ-3] does not take the place that an older one waits for, also when it comes free at one end first', () => {
    const plan = planMigrations(migrations('h3-h4', 'h3-h5', 'h1-h2', 'h1-h3?', 'h1-h6?'), limits);
    expect(plan.starts).toEqual([]);
    expect(told(plan)).toEqual([
      'd: place 1 of 2; h3 has 2 migrations',
      'e: place 2 of 2; h1 has 1 migration, and d asked before',
    ]);
  });
});

const hosts = ['h1', 'h2', 'h3', 'h4', 'h5'];
const route = fc
  .tuple(fc.constantFrom(...hosts), fc.constantFrom(...hosts))
  .filter(([source, target]) => source !== target);
const anyLimits = fc.record({
  migrationsPerHostMax: fc.integer({ min: 1, max: 3 }),
  migrationsPerClusterMax: fc.integer({ min: 1, max: 5 }),
});

/** A cluster in which migrations are asked for and end; each turn starts what may start. */
class Cluster {
  readonly limits: typeof anyLimits extends fc.Arbitrary<infer L> ? L : never;
  active: ActiveMigration[] = [];
  plan: QueuePlan = { starts: [], waits: [] };
  #asked = 0;

  constructor(given: Cluster['limits']) {
    this.limits = given;
  }

  ask([source, target]: readonly [string, string]): void {
    const operation = `op-${this.#asked++}`;
    this.active.push({ operation, vmName: operation, source, target, isWaiting: true });
    this.turn();
  }

  end(operation: string | undefined): void {
    this.active = this.active.filter((one) => one.operation !== operation);
    this.turn();
  }

  turn(): void {
    this.plan = planMigrations(this.active, this.limits);
    this.active = this.active.map((one) =>
      this.plan.starts.includes(one.operation) ? { ...one, isWaiting: false } : one,
    );
  }

  get running(): ActiveMigration[] {
    return this.active.filter(({ isWaiting }) => !isWaiting);
  }

  get waiting(): ActiveMigration[] {
    return this.active.filter(({ isWaiting }) => isWaiting);
  }

  at(host: string, list: readonly ActiveMigration[]): number {
    return list.filter(({ source, target }) => source === host || target === host).length;
  }
}

/** Each step asks for a migration, or ends one of those that run. */
const steps = fc.array(
  fc.oneof(fc.record({ ask: route }), fc.record({ end: fc.nat(), isCancelled: fc.boolean() })),
  { minLength: 1, maxLength: 60 },
);

function runThrough(
  given: Cluster['limits'],
  todo: readonly StepOf[],
  check: (cluster: Cluster) => void,
): void {
  const cluster = new Cluster(given);
  for (const step of todo) {
    if ('ask' in step) cluster.ask(step.ask);
    else {
      const list = step.isCancelled ? cluster.waiting : cluster.running;
      cluster.end(list[step.end % Math.max(1, list.length)]?.operation);
    }
    check(cluster);
  }
}
type StepOf = typeof steps extends fc.Arbitrary<(infer S)[]> ? S : never;

describe('the queue of migrations, whatever is asked for and ends', () => {
  it('[MQ-1] never lets more run than the limits say', () => {
    const property = fc.property(anyLimits, steps, (given, todo) =>
      runThrough(given, todo, (cluster) => {
        const { running } = cluster;
        expect(running.length).toBeLessThanOrEqual(given.migrationsPerClusterMax);
        for (const host of hosts)
          expect(cluster.at(host, running)).toBeLessThanOrEqual(given.migrationsPerHostMax);
      }),
    );
    fc.assert(property, { numRuns: 300 });
  });

  it('[MQ-2] leaves no place unused that nobody older waits for', () => {
    const property = fc.property(anyLimits, steps, (given, todo) =>
      runThrough(given, todo, (cluster) => {
        const { running, waiting } = cluster;
        for (const [index, { source, target }] of waiting.entries()) {
          const older = waiting.slice(0, index);
          const isFull = (host: string): boolean =>
            cluster.at(host, running) + cluster.at(host, older) >= given.migrationsPerHostMax;
          expect(running.length >= given.migrationsPerClusterMax || isFull(source) || isFull(target)).toBe(
            true,
          );
        }
      }),
    );
    fc.assert(property, { numRuns: 300 });
  });

  it('[MQ-3] tells each that waits its place, in the order in which they were asked for', () => {
    const property = fc.property(anyLimits, steps, (given, todo) =>
      runThrough(given, todo, ({ waiting, plan }) => {
        expect(plan.waits.map(({ operation }) => operation)).toEqual(
          waiting.map(({ operation }) => operation),
        );
        expect(plan.waits.map(({ place }) => place)).toEqual(waiting.map((_, index) => index + 1));
      }),
    );
    fc.assert(property, { numRuns: 300 });
  });

  it('[MQ-4] starts the oldest that waits before all that run beside it have ended, whatever else is asked for', () => {
    const more = fc.array(route, { minLength: 0, maxLength: 4 });
    const rounds = fc.array(fc.array(more, { minLength: 1, maxLength: 5 }), { minLength: 30, maxLength: 30 });
    const property = fc.property(anyLimits, steps, rounds, (given, todo, arrivals) => {
      const cluster = new Cluster(given);
      for (const step of todo) if ('ask' in step) cluster.ask(step.ask);
      for (const round of arrivals) {
        const [oldest] = cluster.waiting;
        const all = cluster.running.map(({ operation }) => operation);
        for (const [index, operation] of all.entries()) {
          cluster.end(operation);
          for (const one of round[index % round.length] ?? []) cluster.ask(one);
        }
        if (oldest !== undefined)
          expect(cluster.waiting.map(({ operation }) => operation)).not.toContain(oldest.operation);
      }
    });
    fc.assert(property, { numRuns: 100 });
  });
});
