/**
 * `pnpm bench machine`: the same kernel, image, memory and work in our machine and in QEMU's, the latter also with
 * -icount, which makes it count instructions as ours does. Sides alternate, each run is a process of its own from boot
 * to end, and what counts is work per second of user CPU time of that process.
 */
import { join, resolve } from 'node:path';
import { ensureGuestImage, findGuestImage, type GuestImage } from '@skein/guests';
import { qemuBoardArguments, qemuProgram, requireQemu } from '../support/qemu.ts';
import { measureStarts } from './clone-start.ts';
import { ConsoleProcess } from './console-process.ts';
import { measureIdleGuests } from './idle-guests.ts';
import { countWork } from './instruction-count.ts';
import type { Bench } from './main.ts';
import { median } from './statistics.ts';
import { measureWorkmix, type WorkmixSample } from './workmix-run.ts';

const skeinMain = join(resolve(import.meta.dirname, '../..'), 'packages/cli/src/main.ts');
const memoryMib = 128;
/** An iteration has about a million instructions; seconds of work keep the clock's hundredths small. */
const extent = { full: { iterations: 2000, runs: 5 }, quick: { iterations: 600, runs: 2 } } as const;

interface Side {
  readonly name: string;
  readonly start: () => ConsoleProcess;
  readonly samples: WorkmixSample[];
}

export const benchMachine: Bench = async ({ quick, only, say }) => {
  const { iterations, runs } = quick ? extent.quick : extent.full;
  const qemuVersion = requireQemu();
  const image = await ensureGuestImage();
  say(`Linux ${image.kernelVersion}, workmix ${iterations}, ${memoryMib} MiB; QEMU ${qemuVersion}`);
  const { instructions, checksum } = await countWork(image, memoryMib, iterations);
  say(`${(instructions / 1e6).toFixed(1)} million instructions, ${checksum}`);

  const skein = skeinSide();
  const qemu = qemuSide('qemu', image, []);
  const qemuIcount = qemuSide('qemu -icount', image, ['-icount', 'shift=0,sleep=off']);
  for (let run = 1; run <= runs; run++) {
    for (const { name, start, samples } of [skein, qemu, qemuIcount]) {
      const sample = await measureWorkmix(start, iterations);
      if (sample.checksum !== checksum) {
        throw new Error(`${name} computed ${sample.checksum}, ours ${checksum}: one of them is wrong`);
      }
      samples.push(sample);
      const { bootMs, userSeconds } = sample;
      const mips = (instructions / userSeconds / 1e6).toFixed(0);
      say(
        `${run}/${runs} ${name.padEnd(12)} ${mips} MIPS (${userSeconds.toFixed(2)} s), boot ${bootMs.toFixed(0)} ms`,
      );
    }
  }

  const { clone, boot } = await measureStarts({ quick, say });
  const idle = await measureIdleGuests({ quick, say, imageName: 'debian' });
  const small = await measureSmallKernel({ quick, only, say });
  const mips = mipsOf(skein, instructions);
  const qemuMips = mipsOf(qemu, instructions);
  const qemuIcountMips = mipsOf(qemuIcount, instructions);
  return {
    mips: rounded(mips, 1),
    qemuMips: rounded(qemuMips, 1),
    ratio: rounded(mips / qemuMips, 3),
    qemuIcountMips: rounded(qemuIcountMips, 1),
    ratioIcount: rounded(mips / qemuIcountMips, 3),
    bootMs: rounded(median(skein.samples.map(({ bootMs }) => bootMs)), 0),
    qemuBootMs: rounded(median(qemu.samples.map(({ bootMs }) => bootMs)), 0),
    cloneToFirstStepMs: rounded(clone.firstStepMs, 1),
    cloneToPingMs: rounded(clone.pingMs, 1),
    bootToFirstStepMs: rounded(boot.firstStepMs, 1),
    bootToPingMs: rounded(boot.pingMs, 1),
    ...idle,
    ...small,
  };
};

/** The same guests with the small kernel, where it was compiled before: a bench should not begin with five minutes of that. */
async function measureSmallKernel(options: Parameters<Bench>[0]): Promise<Readonly<Record<string, number>>> {
  if ((await findGuestImage({ name: 'small' })) === undefined) {
    options.say('without the small kernel, which was not compiled here: skein image build small');
    return {};
  }
  const idle = await measureIdleGuests({ ...options, imageName: 'small' });
  return {
    idleCpuPercentSmallKernel: idle.idleCpuPercent,
    wakeupsPerGuestPerSSmallKernel: idle.wakeupsPerGuestPerS,
    rssPerGuestMiBSmallKernel: idle.rssPerGuestMiB,
    machineMemoryPerGuestMiBSmallKernel: idle.machineMemoryPerGuestMiB,
  };
}

function skeinSide(): Side {
  const args = [skeinMain, 'machine', 'run', '--memory', `${memoryMib}`];
  return { name: 'skein', start: () => new ConsoleProcess(process.execPath, args), samples: [] };
}

function qemuSide(name: string, image: GuestImage, more: readonly string[]): Side {
  const args = [
    ...qemuBoardArguments,
    ...['-m', `${memoryMib}`, '-kernel', image.kernelPath, '-initrd', image.initrdPath],
    ...['-append', image.defaultBootArguments, ...more],
  ];
  return { name, start: () => new ConsoleProcess(qemuProgram, args), samples: [] };
}

function mipsOf({ samples }: Side, instructions: number): number {
  return instructions / 1e6 / median(samples.map(({ userSeconds }) => userSeconds));
}

function rounded(value: number, decimals: number): number {
  return Number(value.toFixed(decimals));
}
