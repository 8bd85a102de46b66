/**
 * Which migrations may begin, and where the others stand in the queue. They are looked at in the order in which they
 * were asked for. One that must wait claims its places at both hosts, so that none that was asked for later takes
 * them; what it does not need, a later one may use at once. The cluster's places need no claim: a place at a host
 * comes free when a migration there ends, which frees one of the cluster too, and the oldest in the queue gets it.
 * Left out: priorities, for an order that never changes starves nobody. Rules: SPEC.md, [MQ-n].
 */
import type { HostName, MigrationLimits, OperationId } from '@skein/shared';

export interface ActiveMigration {
  readonly operation: OperationId;
  readonly vmName: string;
  readonly source: HostName;
  readonly target: HostName;
  /** Nothing of it has begun. */
  readonly isWaiting: boolean;
}

/** A place in the queue, counted from 1, and what stands in the way. */
export interface QueuePlace {
  readonly operation: OperationId;
  readonly place: number;
  readonly of: number;
  readonly reason: string;
}

export interface QueuePlan {
  readonly starts: readonly OperationId[];
  readonly waits: readonly QueuePlace[];
}

/** `migrations` in the order in which they were asked for. */
export function planMigrations(migrations: readonly ActiveMigration[], limits: MigrationLimits): QueuePlan {
  const places = new Places(limits);
  for (const migration of migrations) if (!migration.isWaiting) places.take(migration);
  const starts: OperationId[] = [];
  const blocked: { operation: OperationId; reason: string }[] = [];
  for (const migration of migrations) {
    if (!migration.isWaiting) continue;
    const obstacles = places.obstacles(migration);
    if (obstacles.length === 0) {
      places.take(migration);
      starts.push(migration.operation);
    } else {
      places.claim(migration);
      blocked.push({ operation: migration.operation, reason: obstacles.join('; ') });
    }
  }
  const waits = blocked.map((one, index) => ({ ...one, place: index + 1, of: blocked.length }));
  return { starts, waits };
}

/** `place 2 of 3; h1 has 2 migrations`. */
export function explainPlace({ place, of, reason }: QueuePlace): string {
  return `place ${place} of ${of}; ${reason}`;
}

/** What is taken and claimed while the queue is gone through once. */
class Places {
  readonly #limits: MigrationLimits;
  readonly #running = new Map<HostName, number>();
  readonly #claimedBy = new Map<HostName, string[]>();
  #inCluster = 0;

  constructor(limits: MigrationLimits) {
    this.#limits = limits;
  }

  take({ source, target }: ActiveMigration): void {
    for (const host of [source, target]) this.#running.set(host, this.#runningAt(host) + 1);
    this.#inCluster += 1;
  }

  claim({ source, target, vmName }: ActiveMigration): void {
    for (const host of [source, target]) this.#claimedBy.set(host, [...this.#claimantsAt(host), vmName]);
  }

  obstacles({ source, target }: ActiveMigration): string[] {
    const obstacles = [source, target].flatMap((host) => this.#obstacleAt(host) ?? []);
    if (this.#inCluster >= this.#limits.migrationsPerClusterMax)
      obstacles.push(`the cluster has ${counted(this.#inCluster)}`);
    return obstacles;
  }

  #obstacleAt(host: HostName): string | null {
    const running = this.#runningAt(host);
    const claimants = this.#claimantsAt(host);
    const { migrationsPerHostMax } = this.#limits;
    if (running >= migrationsPerHostMax) return `${host} has ${counted(running)}`;
    if (running + claimants.length < migrationsPerHostMax) return null;
    const before = claimants.slice(0, migrationsPerHostMax - running).join(' and ');
    return `${host} has ${counted(running)}, and ${before} asked before`;
  }

  #runningAt(host: HostName): number {
    return this.#running.get(host) ?? 0;
  }

  #claimantsAt(host: HostName): readonly string[] {
    return this.#claimedBy.get(host) ?? [];
  }
}

function counted(migrations: number): string {
  return migrations === 1 ? '1 migration' : `${migrations} migrations`;
}
