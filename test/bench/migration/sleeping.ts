/** The cell whose guest sleeps while it moves, all of it: does its timer come with it? */
import type { MovingGuest, Side } from './moving-guest.ts';
import type { ConsoleObserver } from './observer.ts';
import type { Figures } from './run.ts';

export type Sleep =
  | {
      readonly kind: 'slept';
      readonly wokeOnTime: boolean;
      readonly figures: Figures;
      readonly remark: string;
    }
  | { readonly kind: 'void'; readonly remark: string };

const sleepS = 2;
/** Behind the end of its sleep; a migration that is still on its way then makes the run void. */
const lateMsMax = 1000;
const heardDeadlineMs = 10_000;

/** Never throws: a run that fails is void, with the reason. */
export async function sleepOnce(side: Side): Promise<Sleep> {
  const sleep = await side
    .guest()
    .then(measure)
    .catch(async (error: unknown): Promise<Sleep> => {
      await side.discard();
      return { kind: 'void', remark: error instanceof Error ? error.message : String(error) };
    });
  if (sleep.kind === 'slept' && !sleep.wokeOnTime) await bringBack(side).catch(() => side.discard());
  return sleep;
}

/** At the source the guest sleeps on to the end. */
async function bringBack(side: Side): Promise<void> {
  await side.takeBack();
  const { observer } = await side.guest();
  const woke = await observer.within(heardDeadlineMs, () => hasWoken(observer));
  if (woke === null) await side.discard();
}

function hasWoken({ text }: ConsoleObserver): boolean {
  return /^woke 42/m.test(text);
}

async function measure(guest: MovingGuest): Promise<Sleep> {
  const { observer } = guest;
  await guest.prepare();
  observer.forget();
  guest.type(`sleep ${sleepS}; echo woke $((40 + 2))\n`);
  // The shell's echo of the line: it has been read.
  await observer.until('the guest hears', heardDeadlineMs, () => observer.text.includes('$((40 + 2))'));
  const wakesAtMs = performance.now() + sleepS * 1000;
  const moved = await guest.migrate();
  if (!moved.hasMoved) return { kind: 'void', remark: `did not move: ${moved.remark}` };
  if (hasWoken(observer)) return { kind: 'void', remark: 'woke before it had moved' };
  const restMs = wakesAtMs + lateMsMax - performance.now();
  const woke = await observer.within(restMs, () => hasWoken(observer));
  const { totalMs, downtimeMs, bytes, cpuS, throttlePercentMax, remark } = moved;
  const figures = {
    totalMs,
    downtimeMs,
    bytes,
    cpuS,
    throttlePercentMax,
    guestGapMs: null,
    controlGapMs: null,
  };
  return { kind: 'slept', wokeOnTime: woke !== null, figures, remark };
}
