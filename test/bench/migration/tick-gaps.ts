/**
 * What the guest's ticker tells an observer: it prints `t <counter> <guest ns>` each millisecond, and a line's arrival, on
 * the host's monotonic clock, is a sign of life. A guest that stood still shows as a gap between two arrivals.
 */
export interface Tick {
  readonly counter: number;
  /** When its line arrived at the observer. */
  readonly atMs: number;
}

export interface Window {
  readonly fromMs: number;
  readonly toMs: number;
}

/** Also behind a shell's prompt, which ends by asking the terminal where its cursor is; a line counts when it is whole. */
const tickPattern = /(?:\b|\[6n)t (\d+) \d+\r?\n/g;

/** The ticks in a text that arrived at one moment. */
export function ticksIn(text: string, atMs: number): Tick[] {
  return [...text.matchAll(tickPattern)].map((match) => ({ counter: Number(match[1]), atMs }));
}

/**
 * The longest time between two ticks of which some part is in the window: a gap that began before it or ended behind it
 * counts whole. Null where the window has no two ticks around it, for then nobody knows how long the gap is.
 */
export function longestGapMs(ticks: readonly Tick[], { fromMs, toMs }: Window): number | null {
  let longestMs: number | null = null;
  let reachedMs = Number.NEGATIVE_INFINITY;
  for (let index = 1; index < ticks.length; index++) {
    const before = ticks[index - 1];
    const after = ticks[index];
    if (before === undefined || after === undefined) continue;
    if (after.atMs < fromMs || before.atMs > toMs) continue;
    longestMs = Math.max(longestMs ?? 0, after.atMs - before.atMs);
    reachedMs = after.atMs;
  }
  return reachedMs >= toMs ? longestMs : null;
}

/** The same guest's window without a migration: as long as the migration took, right before it, but no longer than was observed. */
export function controlWindow(ticks: readonly Tick[], migration: Window): Window {
  const firstMs = ticks[0]?.atMs ?? migration.fromMs;
  const fromMs = Math.max(firstMs, migration.fromMs - (migration.toMs - migration.fromMs));
  // Ends with its last tick: the gap after that one is the migration's.
  const last = ticks.findLast(({ atMs }) => atMs <= migration.fromMs);
  return { fromMs, toMs: last?.atMs ?? migration.fromMs };
}
