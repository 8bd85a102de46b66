/**
 * A clock that a guest tells on its console, watched over a migration: the guest that moves ticks, or another one pings it. Readings
 * carry the clock of the guest that makes them, so that the way to this program is no part of a gap.
 */
import { type ObservedGap, OperationError } from '@skein/shared';
import type { GuestConsole } from '../client/guest-console.ts';
import { GapMeter } from './gap-meter.ts';
import { parseEchoReply, parseTick, type Reading } from './readings.ts';

/** So much is heard before the order: what the clock is like without a migration. */
const controlMs = 1000;
const controlDeadlineMs = 5000;
/** A guest that is not heard for so long after the end is not waited for. */
const afterDeadlineMs = 5000;

/** What a clock needs of a console. */
export type ClockConsole = Pick<GuestConsole, 'name' | 'onLine' | 'waitUntil'>;

/** What is read on a console, and how to have it told there: for people. */
interface Kind {
  readonly parse: (line: string) => Reading | null;
  readonly what: string;
  readonly advice: string;
}

export class WatchedClock {
  readonly #console: ClockConsole;
  readonly #kind: Kind;
  readonly #stopListening: () => void;
  #control = new GapMeter();
  #meter = new GapMeter();
  /** When the reading that the window begins with was heard, and the last one. */
  #beganMs = 0;
  #heardMs = 0;

  private constructor(console: ClockConsole, kind: Kind) {
    this.#console = console;
    this.#kind = kind;
    this.#stopListening = console.onLine((line, atMs) => this.#hear(line, atMs));
  }

  /** Of a guest in which `ticker` runs. */
  static ofTicks(console: ClockConsole): WatchedClock {
    const advice = `type \`ticker\` in it (skein vm console ${console.name})`;
    return new WatchedClock(console, { parse: parseTick, what: 'ticks', advice });
  }

  /** Of a guest in which `pinger` asks the one that moves. */
  static ofPings(console: ClockConsole): WatchedClock {
    const advice = `type \`pinger ADDRESS MS\` in it, with the address of the guest that moves (skein vm console ${console.name})`;
    return new WatchedClock(console, { parse: parseEchoReply, what: 'answers to pings', advice });
  }

  /** Resolves when a second of it was heard, in this time. @throws OperationError observation.nothing-heard, link.closed */
  async hearControl(deadlineMs = controlDeadlineMs): Promise<void> {
    const heardMs = (): number => this.#control.metered?.windowMs ?? 0;
    try {
      await this.#console.waitUntil('tell its time', deadlineMs, () => heardMs() >= controlMs);
    } catch (error) {
      if (!(error instanceof OperationError) || error.code !== 'timeout') throw error;
      throw this.#tooLittleHeard(deadlineMs);
    }
  }

  /** The migration is about to be asked for: the window begins with the reading that was heard last. */
  begin(): void {
    const { last } = this.#control;
    this.#meter = new GapMeter();
    if (last !== null) this.#meter.take(last);
    this.#beganMs = this.#heardMs;
  }

  /**
   * The migration has ended: what was seen up to the first reading that was made since, as far as can be told from here.
   * @throws OperationError link.closed
   */
  async conclude(): Promise<ObservedGap | null> {
    // Guests' clocks run as fast as ours: by then so much time must have passed on this one.
    const elapsedMs = performance.now() - this.#beganMs;
    const heard = this.#meter.metered?.readings ?? 0;
    const isHeardAgain = (): boolean => {
      const { windowMs, readings } = this.#meter.metered ?? { windowMs: 0, readings: 0 };
      return readings > heard && windowMs >= elapsedMs;
    };
    const hasEnded = await this.#console.waitUntil('go on', afterDeadlineMs, isHeardAgain).then(
      () => true,
      (error: unknown) => {
        if (error instanceof OperationError && error.code === 'timeout') return false;
        throw error;
      },
    );
    this.#stopListening();
    return this.#observed(hasEnded);
  }

  #observed(hasEnded: boolean): ObservedGap | null {
    const during = this.#meter.metered;
    if (during === null) return null;
    const control = this.#control.metered;
    const silentMs = hasEnded ? 0 : performance.now() - this.#heardMs;
    return {
      ...during,
      gapMs: Math.max(during.gapMs, silentMs),
      hasEnded,
      controlGapMs: control?.gapMs ?? null,
      controlWindowMs: control?.windowMs ?? 0,
    };
  }

  #hear(line: string, atMs: number): void {
    const reading = this.#kind.parse(line);
    if (reading === null) return;
    const meter = this.#beganMs === 0 ? this.#control : this.#meter;
    if (meter.take(reading)) this.#heardMs = atMs;
  }

  #tooLittleHeard(deadlineMs: number): OperationError {
    const { what, advice } = this.#kind;
    const { name } = this.#console;
    const heard = this.#control.metered;
    const message =
      heard === null
        ? `no ${what} were heard on the console of ${name} in ${deadlineMs / 1000} s; ${advice}`
        : `${heard.readings} ${what} over ${heard.windowMs.toFixed(0)} ms were heard on the console of ${name} in ${deadlineMs / 1000} s, and a second of them is needed; let it tell its time more often`;
    return new OperationError({
      code: 'observation.nothing-heard',
      message: `the migration was not begun: ${message}`,
      details: { vm: name, readings: heard?.readings ?? 0, windowMs: heard?.windowMs ?? 0 },
    });
  }
}
