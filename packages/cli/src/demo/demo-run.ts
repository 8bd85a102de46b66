/** What the steps of a demo share: the cluster, its API, the guests' consoles, the clock, and how progress is told. */
import { type ClusterInfo, OperationError } from '@skein/shared';
import type { ClusterAccess } from '../client/access.ts';
import type { ApiClient } from '../client/api-client.ts';
import type { GuestConsole } from '../client/guest-console.ts';
import type { LaunchedCluster } from '../cluster/launch.ts';

/** Since the demo's start; all its times are on this clock. */
export class DemoClock {
  readonly #startedMs = performance.now();
  readonly #startedUnixMs = Date.now();

  now(): number {
    return performance.now() - this.#startedMs;
  }

  /** A reading of performance.now(). */
  of(monotonicMs: number): number {
    return monotonicMs - this.#startedMs;
  }

  /** Unix time in ms as the coordinator wrote it; both are on this machine. */
  ofUnix(unixMs: number): number {
    return unixMs - this.#startedUnixMs;
  }
}

export interface DemoProgress {
  /** A step of the issue begins. */
  step(title: string): void;
  /** Something was found out; stays on the screen. */
  found(line: string): void;
  /** What is being waited for. */
  waiting(line: string): void;
}

export interface DemoRun {
  readonly clock: DemoClock;
  readonly progress: DemoProgress;
  readonly cluster: LaunchedCluster;
  readonly access: ClusterAccess;
  readonly info: ClusterInfo;
  readonly client: ApiClient;
  /** The demo was interrupted. */
  readonly signal: AbortSignal;
  readonly consoles: ReadonlyMap<string, GuestConsole>;
}

export function consoleOf(run: Pick<DemoRun, 'consoles'>, guest: string): GuestConsole {
  const console = run.consoles.get(guest);
  if (console === undefined) throw new TypeError(`no console of ${guest} is attached`);
  return console;
}

/** A claim of the demo that must hold. @throws OperationError operation.failed */
export function claim(isTrue: boolean, otherwise: string): asserts isTrue {
  if (!isTrue) throw new OperationError({ code: 'operation.failed', message: otherwise });
}

/** Rounded for people and programs: microseconds say nothing here. */
export function rounded(ms: number): number {
  return Math.round(ms * 1000) / 1000;
}
