/**
 * Watches a migration from outside, by what guests tell on their consoles: the guest that moves ticks, and another one
 * pings it. Both clocks are the guests' own, so that the way to this program is no part of a gap.
 */
import { type ClusterInfo, type MigrationObservation, type ObservedGap, OperationError } from '@skein/shared';
import type { ClusterAccess } from '../client/access.ts';
import { GuestConsole } from '../client/guest-console.ts';
import { observedGap, parseEchoReply, parseTick, type Reading, spanMs } from './readings.ts';

/** So much of each clock is heard before the order: the control of a migration that takes no longer. */
const controlMs = 1000;
const controlDeadlineMs = 5000;
/** A guest that is not heard for so long after the end is not waited for. */
const afterDeadlineMs = 5000;

export interface Watched {
  /** The VM that moves, where its ticks are to be read. */
  readonly ticksOf: string | null;
  /** The VM in which `pinger` asks the one that moves. */
  readonly pingsOf: string | null;
}

/** One console, and what is read there. */
interface Clock {
  readonly console: GuestConsole;
  readonly readings: Reading[];
  /** What is heard there, and how to start it: for a message. */
  readonly what: string;
  readonly advice: string;
  /** Of the last reading before the order. */
  first: number;
}

export class MigrationObserver {
  readonly #guest: Clock | null;
  readonly #network: Clock | null;

  private constructor(guest: Clock | null, network: Clock | null) {
    this.#guest = guest;
    this.#network = network;
  }

  /**
   * Resolves when a second of each clock was heard: the migration may be asked for then.
   * @throws OperationError observation.nothing-heard, vm.not-found, link.*
   */
  static async attach(
    access: ClusterAccess,
    cluster: ClusterInfo,
    watched: Watched,
  ): Promise<MigrationObserver> {
    const { ticksOf, pingsOf } = watched;
    const consoles: GuestConsole[] = [];
    const open = async (name: string): Promise<GuestConsole> => {
      const console = await GuestConsole.attach(access, cluster, name);
      consoles.push(console);
      return console;
    };
    try {
      const guest = ticksOf === null ? null : tickingClock(await open(ticksOf));
      const network = pingsOf === null ? null : pingingClock(await open(pingsOf));
      const observer = new MigrationObserver(guest, network);
      await Promise.all(observer.#clocks.map(hearControl));
      for (const clock of observer.#clocks) clock.first = clock.readings.length - 1;
      return observer;
    } catch (error) {
      for (const console of consoles) console.close();
      throw error;
    }
  }

  /** When the migration has ended: what each clock showed, up to its first reading after now. Null: it was not heard again. */
  async conclude(): Promise<MigrationObservation> {
    const [guest, network] = await Promise.all([gapOf(this.#guest), gapOf(this.#network)]);
    return { guest, network };
  }

  close(): void {
    for (const { console } of this.#clocks) console.close();
  }

  get #clocks(): readonly Clock[] {
    return [this.#guest, this.#network].filter((clock) => clock !== null);
  }
}

function tickingClock(console: GuestConsole): Clock {
  const { name } = console;
  const advice = `start \`ticker\` in it (skein vm console ${name})`;
  return clockOf(console, parseTick, 'ticks', advice);
}

function pingingClock(console: GuestConsole): Clock {
  const { name } = console;
  const advice = `start \`pinger ADDRESS MS\` in it, with the address of the guest that moves (skein vm console ${name})`;
  return clockOf(console, parseEchoReply, "a pinger's answers", advice);
}

function clockOf(
  console: GuestConsole,
  parse: (line: string) => Reading | null,
  what: string,
  advice: string,
): Clock {
  const readings: Reading[] = [];
  console.onLine((line) => {
    const reading = parse(line);
    if (reading !== null) readings.push(reading);
  });
  return { console, readings, what, advice, first: 0 };
}

async function hearControl({ console, readings, what, advice }: Clock): Promise<void> {
  try {
    await console.waitUntil('tell its time', controlDeadlineMs, () => spanMs(readings) >= controlMs);
  } catch (error) {
    if (!(error instanceof OperationError) || error.code !== 'timeout') throw error;
    const heard = readings.length === 0 ? `no ${what} were` : `only ${readings.length} of ${what} were`;
    throw new OperationError({
      code: 'observation.nothing-heard',
      message: `the migration was not begun: ${heard} heard on the console of ${console.name} in ${controlDeadlineMs / 1000} s; ${advice}`,
      details: { vm: console.name, heard: readings.length },
    });
  }
}

async function gapOf(clock: Clock | null): Promise<ObservedGap | null> {
  if (clock === null) return null;
  const { console, readings, first } = clock;
  const heard = readings.length;
  try {
    await console.waitUntil('go on', afterDeadlineMs, () => readings.length > heard);
  } catch (error) {
    if (!(error instanceof OperationError)) throw error;
    return null;
  }
  return observedGap(readings, first);
}
