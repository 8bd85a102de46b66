/** Watches a migration from outside, by what guests tell on their consoles (watched-clock.ts). */
import type { ClusterInfo, MigrationObservation, ObservedGap } from '@skein/shared';
import type { ClusterAccess } from '../client/access.ts';
import { GuestConsole } from '../client/guest-console.ts';
import { WatchedClock } from './watched-clock.ts';

export interface Watched {
  /** The VM that moves, where its ticks are to be read. */
  readonly ticksOf: string | null;
  /** The VM in which `pinger` asks the one that moves. */
  readonly pingsOf: string | null;
}

export class MigrationObserver {
  readonly #consoles: readonly GuestConsole[];
  readonly #guest: WatchedClock | null;
  readonly #network: WatchedClock | null;

  private constructor(ticks: GuestConsole | null, pings: GuestConsole | null) {
    this.#consoles = [ticks, pings].filter((console) => console !== null);
    this.#guest = ticks === null ? null : WatchedClock.ofTicks(ticks);
    this.#network = pings === null ? null : WatchedClock.ofPings(pings);
  }

  /** @throws OperationError vm.not-found, link.* */
  static async attach(
    access: ClusterAccess,
    cluster: ClusterInfo,
    watched: Watched,
  ): Promise<MigrationObserver> {
    const consoleOf = async (name: string | null): Promise<GuestConsole | null> =>
      name === null ? null : GuestConsole.attach(access, cluster, name);
    const ticks = await consoleOf(watched.ticksOf);
    try {
      return new MigrationObserver(ticks, await consoleOf(watched.pingsOf));
    } catch (error) {
      ticks?.close();
      throw error;
    }
  }

  /**
   * Resolves when a second of each clock was heard: the migration is to be asked for then.
   * @throws OperationError observation.nothing-heard, link.closed
   */
  async begin(): Promise<void> {
    await Promise.all([this.#guest?.hearControl(), this.#network?.hearControl()]);
    this.#guest?.begin();
    this.#network?.begin();
  }

  /** When the migration has ended. `problems`: why a clock that was watched is not among what was observed. */
  async conclude(): Promise<{
    readonly observation: MigrationObservation;
    readonly problems: readonly unknown[];
  }> {
    const [guest, network] = await Promise.allSettled([this.#guest?.conclude(), this.#network?.conclude()]);
    const gapOf = (settled: PromiseSettledResult<ObservedGap | null | undefined>): ObservedGap | null =>
      settled.status === 'fulfilled' ? (settled.value ?? null) : null;
    const problems = [guest, network].flatMap((settled) =>
      settled.status === 'rejected' ? [settled.reason as unknown] : [],
    );
    return { observation: { guest: gapOf(guest), network: gapOf(network) }, problems };
  }

  close(): void {
    for (const console of this.#consoles) console.close();
  }
}
