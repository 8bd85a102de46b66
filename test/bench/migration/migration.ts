/**
 * `pnpm bench migration`: a live migration of the same guest by Skein and by QEMU, between two processes of this machine on
 * its loopback. Sides alternate; one observer reads the guest's ticks on its console for both. QEMU is measured in several
 * settings, and what counts is its best. docs/guide/migration.md says what each figure is.
 */
import { ensureGuestImage, type GuestImage } from '@skein/guests';
import { requireQemu } from '../../support/qemu.ts';
import type { Bench } from '../main.ts';
import { type Cell, sleepingCell, tickingCells } from './cells.ts';
import type { Side } from './moving-guest.ts';
import { plainSetting, qemuSettings, withAutoConverge } from './qemu-settings.ts';
import { QemuBed } from './qemu-side.ts';
import { type Run, runOnce } from './run.ts';
import { SkeinBed } from './skein-side.ts';
import { type Sleep, sleepOnce } from './sleeping.ts';
import { bestOf, summarize, summarizeSleeps } from './summary.ts';

const extent = { full: { runs: 7, sleeps: 50 }, quick: { runs: 3, sleeps: 20 } } as const;

export const benchMigration: Bench = async ({ quick, only, say }) => {
  const { runs, sleeps } = quick ? extent.quick : extent.full;
  const qemuVersion = requireQemu();
  const image = await ensureGuestImage();
  say(`Linux ${image.kernelVersion}; QEMU ${qemuVersion}`);
  const cells = [];
  for (const cell of cellsInOrder(only))
    cells.push(
      cell === sleepingCell
        ? await benchSleeping(image, sleeps, say)
        : await benchTicking(image, cell, runs, say),
    );
  return { qemuVersion, cells };
};

/** Those of these names; all where none is given. */
function cellsInOrder(names: readonly string[]): readonly Cell[] {
  const [idle, ...others] = tickingCells;
  const all = idle === undefined ? [] : [idle, sleepingCell, ...others];
  const unknown = names.filter((name) => !all.some((cell) => cell.name === name));
  if (unknown.length > 0)
    throw new Error(`no cell ${unknown.join(', ')}: there are ${all.map(({ name }) => name).join(', ')}`);
  return names.length === 0 ? all : all.filter(({ name }) => names.includes(name));
}

/** A run that says nothing is tried again, but not for ever; all of them are counted. */
const attemptsMax = 3;

async function benchTicking(image: GuestImage, cell: Cell, runs: number, say: (line: string) => void) {
  const settings = cell.autoConverge ? qemuSettings.map(withAutoConverge) : qemuSettings;
  return await onBothBeds(image, cell, async (skein, qemu) => {
    const sides = [skein.side(cell), ...settings.map((setting) => qemu.side(setting))];
    const done = await alternate(sides, runs, async (side, number) => {
      const tried: Run[] = [];
      while (tried.length < attemptsMax) {
        const run = await runOnce(side, cell);
        tried.push(run);
        say(`${cell.name} ${number}/${runs} ${side.name}: ${describeRun(run)}`);
        if (run.kind === 'moved' || run.kind === 'stayed') break;
      }
      return tried;
    });
    const [ours = [], ...theirs] = done.map((tried) => tried.flat());
    const summaries = settings.map(({ name }, index) => ({
      setting: name,
      ...summarize(theirs[index] ?? []),
    }));
    return {
      name: cell.name,
      skein: summarize(ours),
      qemu: { best: bestOf(summaries), settings: summaries },
    };
  });
}

async function benchSleeping(image: GuestImage, sleeps: number, say: (line: string) => void) {
  return await onBothBeds(image, sleepingCell, async (skein, qemu) => {
    const sides = [skein.side(sleepingCell), qemu.side(plainSetting)];
    const [ours = [], theirs = []] = await alternate(sides, sleeps, async (side, number) => {
      const sleep = await sleepOnce(side);
      say(`${sleepingCell.name} ${number}/${sleeps} ${side.name}: ${describeSleep(sleep)}`);
      return sleep;
    });
    const summaries = [{ setting: plainSetting.name, ...summarizeSleeps(theirs) }];
    return {
      name: sleepingCell.name,
      skein: summarizeSleeps(ours),
      qemu: { best: bestOf(summaries), settings: summaries },
    };
  });
}

/** Both guests boot anew for each cell, so that nothing that another cell wrote is left in their memory. */
async function onBothBeds<T>(
  image: GuestImage,
  cell: Cell,
  measure: (skein: SkeinBed, qemu: QemuBed) => Promise<T>,
): Promise<T> {
  const skein = new SkeinBed('mover', cell.memoryMib);
  const qemu = new QemuBed(image, 'mover', cell.memoryMib);
  try {
    return await measure(skein, qemu);
  } finally {
    await Promise.all([skein.close(), qemu.close()]);
  }
}

/** Each side in turn, beginning with another one each time; answers the results side by side. */
async function alternate<T>(
  sides: readonly Side[],
  rounds: number,
  measure: (side: Side, number: number) => Promise<T>,
): Promise<T[][]> {
  const results: T[][] = sides.map(() => []);
  for (let round = 0; round < rounds; round++) {
    for (let turn = 0; turn < sides.length; turn++) {
      const index = (round + turn) % sides.length;
      const side = sides[index];
      if (side !== undefined) results[index]?.push(await measure(side, round + 1));
    }
  }
  return results;
}

function describeRun(run: Run): string {
  if (run.kind === 'void') return `VOID: ${run.remark}`;
  if (run.kind === 'stayed') return `not converged (${run.remark})`;
  const { totalMs, guestGapMs, controlGapMs, downtimeMs, bytes, cpuS, throttlePercentMax } = run.figures;
  return (
    `${totalMs.toFixed(0)} ms, ${run.kind === 'lost' ? 'the guest was LOST' : `gap ${guestGapMs?.toFixed(1)} ms`} (control ${controlGapMs?.toFixed(1)} ms), ` +
    `downtime ${downtimeMs.toFixed(1)} ms, ${(bytes / 1e6).toFixed(1)} MB, ${cpuS.toFixed(2)} s of CPU` +
    `${throttlePercentMax > 0 ? `, slowed by up to ${throttlePercentMax} %` : ''}${run.isConverged ? '' : ', forced'} (${run.remark})`
  );
}

function describeSleep(sleep: Sleep): string {
  if (sleep.kind === 'void') return `VOID: ${sleep.remark}`;
  const { totalMs, downtimeMs } = sleep.figures;
  return `${sleep.wokeOnTime ? 'woke' : 'DID NOT WAKE'}; ${totalMs.toFixed(0)} ms, downtime ${downtimeMs.toFixed(1)} ms`;
}
