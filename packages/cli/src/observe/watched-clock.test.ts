import { OperationError } from '@skein/shared';
import { beforeEach, describe, expect, it, vi } from 'vitest';
import type { LineListener } from '../client/guest-console.ts';
import { type ClockConsole, WatchedClock } from './watched-clock.ts';

/** Says what a test has it say, on a clock that stands still otherwise. */
class SpokenConsole implements ClockConsole {
  readonly name = 'web1';
  readonly #listeners = new Set<LineListener>();
  #look: () => void = () => {};
  isClosed = false;

  onLine(listener: LineListener): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  get listeners(): number {
    return this.#listeners.size;
  }

  async waitUntil(_what: string, deadlineMs: number, isTrue: () => boolean): Promise<void> {
    const endsAtMs = performance.now() + deadlineMs;
    await new Promise<void>((resolve, reject) => {
      this.#look = () => {
        if (this.isClosed) reject(new OperationError({ code: 'link.closed', message: 'gone' }));
        else if (isTrue()) resolve();
        else if (performance.now() >= endsAtMs)
          reject(new OperationError({ code: 'timeout', message: 'late' }));
      };
      this.#look();
    });
  }

  say(line: string): void {
    for (const listener of this.#listeners) listener(line, performance.now());
    this.#look();
  }

  /** Time passes for everybody, and nothing is said. */
  pass(ms: number): void {
    vi.advanceTimersByTime(ms);
    this.#look();
  }
}

let console: SpokenConsole;
let count = 0;

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['performance'] });
  console = new SpokenConsole();
  count = 0;
  return () => vi.useRealTimers();
});

/** The guest's clock is our own. */
function tick(afterMs: number): void {
  console.pass(afterMs);
  console.say(`t ${++count} ${BigInt(Math.round(performance.now() * 1e6))}`);
}

async function begun(): Promise<WatchedClock> {
  const clock = WatchedClock.ofTicks(console);
  const heard = clock.hearControl();
  for (let n = 0; n <= 100; n++) tick(10);
  await heard;
  clock.begin();
  return clock;
}

describe('a clock that is watched over a migration', () => {
  it('has its longest gap, and the one of a second before it', async () => {
    const clock = await begun();
    for (const ms of [10, 45, 10]) tick(ms);
    const concluded = clock.conclude();
    tick(10);
    expect(await concluded).toEqual({
      gapMs: 45,
      hasEnded: true,
      windowMs: 75,
      readings: 5,
      lost: 0,
      controlGapMs: 10,
      controlWindowMs: 1000,
    });
    expect(console.listeners).toBe(0);
  });

  it('is not over with what was said before the end and heard after it', async () => {
    const clock = await begun();
    tick(10);
    console.pass(300);
    const concluded = clock.conclude();
    // On its way since before the stop.
    console.say(`t ${++count} ${BigInt(Math.round((performance.now() - 290) * 1e6))}`);
    tick(10);
    expect(await concluded).toMatchObject({ gapMs: 300, hasEnded: true });
  });

  it('that is not heard again was silent for at least as long as was listened', async () => {
    const clock = await begun();
    tick(10);
    const concluded = clock.conclude();
    console.pass(5000);
    expect(await concluded).toMatchObject({ gapMs: 5000, hasEnded: false, readings: 2 });
  });

  it('is not heard again where its guest was started anew: that is another clock', async () => {
    const clock = await begun();
    tick(10);
    const concluded = clock.conclude();
    for (let ms = 100; ms <= 5000; ms += 100) {
      console.pass(100);
      console.say(`t ${ms / 100} ${BigInt(ms)}`);
    }
    expect(await concluded).toMatchObject({ gapMs: 5000, hasEnded: false, readings: 2, lost: 0 });
  });

  it('says so when its console is closed', async () => {
    const clock = await begun();
    const concluded = clock.conclude();
    console.isClosed = true;
    console.pass(1);
    await expect(concluded).rejects.toMatchObject({ code: 'link.closed' });
  });

  it('is not watched where it says nothing, or too little to tell its gap', async () => {
    const silent = WatchedClock.ofTicks(console).hearControl();
    console.say('p 1 2 3');
    console.pass(5000);
    await expect(silent).rejects.toMatchObject({
      code: 'observation.nothing-heard',
      message: expect.stringMatching(/^the migration was not begun: no ticks .* web1 in 5 s; type `ticker`/),
    });
    const rare = WatchedClock.ofTicks(console).hearControl();
    tick(0);
    tick(400);
    console.pass(5000);
    await expect(rare).rejects.toMatchObject({
      code: 'observation.nothing-heard',
      message: expect.stringMatching(/2 ticks over 400 ms were heard .* a second of them is needed/),
    });
  });
});
