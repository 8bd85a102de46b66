/** One run of a cell on one side: start the work, watch it without a migration, migrate, watch on, end the work. */
import type { Cell } from './cells.ts';
import { rateFlaw, reportedRates } from './dirtier-rate.ts';
import type { Moved, MovingGuest, Side } from './moving-guest.ts';
import type { ConsoleObserver } from './observer.ts';
import { controlWindow, longestGapMs } from './tick-gaps.ts';

export interface Figures {
  readonly totalMs: number;
  /** Longest time between two ticks, in and around the migration. */
  readonly guestGapMs: number | null;
  /** The same, as long before it. */
  readonly controlGapMs: number | null;
  readonly downtimeMs: number;
  readonly bytes: number;
  readonly cpuS: number;
  readonly throttlePercentMax: number;
}

export type Run =
  | {
      readonly kind: 'moved';
      readonly isConverged: boolean;
      readonly figures: Figures;
      readonly remark: string;
    }
  /** All was carried over, and the guest was never heard again: what it cost is known, the gap has no end. */
  | {
      readonly kind: 'lost';
      readonly isConverged: boolean;
      readonly figures: Figures;
      readonly remark: string;
    }
  /** It did not end in time and was called off; the guest runs on at the source. */
  | { readonly kind: 'stayed'; readonly remark: string }
  /** The guest did not do its work, or the run failed: it says nothing about migration. */
  | { readonly kind: 'void'; readonly remark: string };

/** Watched before the migration: the control window is in it. */
const watchedMs = 2000;
/** The first two are of a guest that warms up and makes up for it. */
const rateReportsMin = 3;
/** The first touch of 64 MiB takes a guest of QEMU's seven seconds on a slow processor. */
const warmUpDeadlineMs = 30_000;
const ticksAfterwards = 100;
const workDeadlineMs = 60_000;
/** Longer than any gap that was seen. */
const aliveDeadlineMs = 1500;
const fillDeadlineMs = 120_000;
const stopDeadlineMs = 60_000;

/** A guest whose memory is not what it wrote: no figure is worth anything, and the bench ends. */
class CorruptGuestError extends Error {}

/**
 * A run that fails is void, with the reason, and its guest is not used again.
 * @throws CorruptGuestError
 */
export async function runOnce(side: Side, cell: Cell): Promise<Run> {
  const run = await side
    .guest()
    .then((guest) => measure(guest, cell))
    .catch(async (error: unknown): Promise<Run> => {
      await side.discard();
      if (error instanceof CorruptGuestError) throw error;
      return { kind: 'void', remark: error instanceof Error ? error.message : String(error) };
    });
  if (run.kind === 'lost') await bringBack(side, cell).catch(() => side.discard());
  return run;
}

/** Its work goes on at the source, and ends there. */
async function bringBack(side: Side, cell: Cell): Promise<void> {
  await side.takeBack();
  await stopWork(await side.guest(), cell);
}

async function measure(guest: MovingGuest, cell: Cell): Promise<Run> {
  const { observer } = guest;
  observer.forget();
  if (cell.filledMib > 0) await fill(guest, cell.filledMib);
  const { dirtier } = cell;
  if (dirtier !== null)
    guest.type(`dirtier ${dirtier.mib} ${dirtier.pagesPerS} ${dirtier.mode} </dev/null &\n`);
  guest.type('ticker </dev/null &\n');
  await guest.prepare();
  await observer.until('the guest works', workDeadlineMs, () => hasWorked(observer, cell));
  if (dirtier !== null)
    await observer.within(warmUpDeadlineMs, () => rateFlaw(observer.text, dirtier) === null);
  const flaw = dirtier === null ? null : rateFlaw(observer.text, dirtier);
  if (flaw !== null) {
    await stopWork(guest, cell);
    return { kind: 'void', remark: flaw };
  }
  const moved = await guest.migrate();
  const isAlive = await observer.within(aliveDeadlineMs, () => ticksSince(observer, moved) > ticksAfterwards);
  const ticks = [...observer.ticks];
  if (isAlive !== null) await stopWork(guest, cell);
  const { window, isConverged, remark, hasMoved, totalMs, downtimeMs, bytes, cpuS, throttlePercentMax } =
    moved;
  if (!hasMoved && isAlive !== null) return { kind: 'stayed', remark };
  const guestGapMs = isAlive === null ? null : longestGapMs(ticks, window);
  const controlGapMs = longestGapMs(ticks, controlWindow(ticks, window));
  const figures = { totalMs, guestGapMs, controlGapMs, downtimeMs, bytes, cpuS, throttlePercentMax };
  return { kind: isAlive === null ? 'lost' : 'moved', isConverged, remark, figures };
}

/** Once a boot: what is held is not touched again. */
async function fill(guest: MovingGuest, mib: number): Promise<void> {
  const { observer } = guest;
  const isHeld = 'pidof filler >/dev/null && echo filler: filled $((0)) MiB';
  guest.type(`${isHeld} || filler ${mib} </dev/null &\n`);
  await observer.until('memory is filled', fillDeadlineMs, () =>
    /filler: filled \d+ MiB/.test(observer.text),
  );
}

function hasWorked({ ticks, text }: ConsoleObserver, { dirtier }: Cell): boolean {
  const observedMs = (ticks.at(-1)?.atMs ?? 0) - (ticks[0]?.atMs ?? 0);
  return observedMs >= watchedMs && (dirtier === null || reportedRates(text).length >= rateReportsMin);
}

function ticksSince({ ticks }: ConsoleObserver, { window }: Moved): number {
  const first = ticks.findIndex(({ atMs }) => atMs >= window.toMs);
  return first < 0 ? 0 : ticks.length - first;
}

/** @throws CorruptGuestError when a page was not what the dirtier wrote */
async function stopWork(guest: MovingGuest, { dirtier }: Cell): Promise<void> {
  const { observer } = guest;
  guest.type('killall ticker dirtier\n');
  if (dirtier !== null) {
    const verdict = await observer.until(
      'the dirtier verifies',
      stopDeadlineMs,
      () => /dirtier: (verified|MISMATCH)[^\n]*\n/.exec(observer.text)?.[1],
    );
    if (verdict !== 'verified')
      throw new CorruptGuestError(`${dirtier.mode} dirtier: a page is not what was written to it`);
  }
  observer.forget();
  guest.type('wait $!; echo rests $((40 + 2))\n');
  await observer.until('the guest rests', stopDeadlineMs, () => /^rests 42/m.test(observer.text));
}
