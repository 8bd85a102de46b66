/** `skein machine run`: one machine without any cluster, its console on this terminal, its exit code ours. */
import { randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { ensureGuestImage, type GuestImage, loadGuestImage, readyMarker } from '@skein/guests';
import { loadCore } from '@skein/machine';
import { memoryMibMax } from '@skein/shared';
import type { Command } from 'commander';
import { exitCodeInterrupted, fail, usageError } from '../failure.ts';
import { disksMax, LoneMachine, randomSeedBytes } from '../machine/lone-machine.ts';
import { RawDisk } from '../machine/raw-disk.ts';
import { imageProgress } from '../output/image-progress.ts';
import { ConsoleTerminal, remark } from '../terminal/console-terminal.ts';
import { HeldInput } from '../terminal/held-input.ts';
import { countArgument, type DiskArgument, diskArgument, memoryArgument } from './argument.ts';
import { finishWith } from './outcome.ts';

export interface MachineRunOptions {
  readonly memory: number;
  readonly kernel?: string;
  readonly bios?: string;
  readonly initrd?: string;
  readonly append?: string;
  readonly image?: string;
  readonly disk: readonly DiskArgument[];
  readonly balloon: number;
}

/** All failures of `machine run` itself; every other code is the guest's. */
export const exitCodeMachineFailed = 125;

export function addMachineCommand(program: Command): void {
  const machine = program.command('machine').description('work with one machine, without a cluster');
  machine
    .command('run')
    .description(
      'run one machine with its console on this terminal; Ctrl-] ends it. ' +
        'behind the end of piped input the guest is told to power off, unless it has a workload (skein.run). ' +
        "The exit code is the guest's own (0 after poweroff); skein's own failures are 125.",
    )
    .option('--memory <MIB>', 'RAM of the machine in MiB', memoryArgument, 128)
    .option('--kernel <FILE>', 'a RISC-V Linux Image (plain, gzip, zstd or zboot) or an ELF executable')
    .option(
      '--bios <FILE>',
      'firmware that starts in M mode instead of the built-in SBI, an ELF executable or raw bytes; alone, or with --kernel or --image',
    )
    .option('--initrd <FILE>', 'an initial RAM disk, with --kernel')
    .option('--append <ARGUMENTS>', "added to the kernel's command line")
    .option('--image <DIGEST>', 'a built guest image (default: the present one, made if need be)')
    .option(
      '--disk <FILE[,ro]>',
      'a file as a disk of the guest, sector for sector; ,ro: for reading alone. Can be given several times',
      diskArgument,
      [],
    )
    .option(
      '--balloon <MIB>',
      'how much of its memory the guest is asked to give up, in MiB',
      countArgument(0, memoryMibMax, 'MiB'),
      0,
    )
    .action(async (options: MachineRunOptions) => finishWith(await runMachine(options)));
}

async function runMachine(options: MachineRunOptions): Promise<number> {
  if (options.disk.length > disksMax) {
    throw usageError(
      `--disk was given ${options.disk.length} times; a machine has at most ${disksMax} disks`,
    );
  }
  if (options.balloon >= options.memory) {
    throw usageError(`--balloon asks for ${options.balloon} MiB; the machine has ${options.memory}`);
  }
  const disks: RawDisk[] = [];
  try {
    for (const { path, isReadOnly } of options.disk) {
      disks.push(new RawDisk({ path, isReadOnly, onError: remark }));
    }
    const [core, guest] = await Promise.all([loadCore(), readGuest(options)]);
    return await runOnTerminal(options, core, guest, disks);
  } finally {
    for (const disk of disks) disk.close();
  }
}

async function runOnTerminal(
  options: MachineRunOptions,
  core: Awaited<ReturnType<typeof loadCore>>,
  guest: Guest,
  disks: readonly RawDisk[],
): Promise<number> {
  let isInterrupted = false;
  // A person sees when the guest listens; a pipe does not, but our images say so. Other guests get what comes.
  const isHeld = process.stdin.isTTY !== true && usesImage(options);
  const input = new HeldInput({ readyMarker, deliver: (bytes) => machine.type(bytes) });
  const terminal = new ConsoleTerminal({
    onInput: (bytes) => (isHeld ? input.type(bytes) : machine.type(bytes)),
    onInputEnd: () => {
      if (isHeld && endsWithInput(options)) input.type(new Uint8Array(Buffer.from(lastCommand)));
    },
    onLeave: (reason) => {
      isInterrupted = reason === 'signal';
      machine.end();
    },
    onDrain: () => machine.resumeOutput(),
  });
  const machine = await createMachine(options, core, guest, disks, (bytes) => {
    input.heard(bytes);
    return terminal.write(bytes);
  }).catch(async (error: unknown) => {
    await terminal.close();
    throw error;
  });
  if (terminal.isInteractive) terminal.remark('Ctrl-] ends the machine');
  try {
    const ending = await machine.run();
    if (ending.reason === 'ended') terminal.remark('the machine was ended');
    return isInterrupted ? exitCodeInterrupted : ending.exitCode;
  } finally {
    input.close();
    await terminal.close();
  }
}

/** What the shell of our images is told behind piped input, as a shell ends behind its script. */
const lastCommand = '\npoweroff\n';

/** A guest with a workload has something to do without input, and goes on. */
function endsWithInput({ append = '' }: MachineRunOptions): boolean {
  return !append.includes('skein.run=');
}

/** Firmware alone is all that the machine gets. */
function usesImage({ kernel, bios, image }: MachineRunOptions): boolean {
  return kernel === undefined && (bios === undefined || image !== undefined);
}

interface Guest {
  readonly kernel?: Uint8Array;
  readonly firmware?: Uint8Array;
  readonly initrd?: Uint8Array;
  readonly bootArguments: string;
}

async function createMachine(
  options: MachineRunOptions,
  core: Awaited<ReturnType<typeof loadCore>>,
  guest: Guest,
  disks: readonly RawDisk[],
  onConsole: (bytes: Uint8Array) => boolean,
): Promise<LoneMachine> {
  return new LoneMachine({
    core,
    memoryMib: options.memory,
    ...guest,
    disks,
    balloonMib: options.balloon,
    randomSeed: new Uint8Array(randomBytes(randomSeedBytes)),
    onConsole,
  });
}

async function readGuest(options: MachineRunOptions): Promise<Guest> {
  const firmware = options.bios === undefined ? {} : { firmware: await readGiven(options.bios) };
  return { ...(usesImage(options) ? await readImage(options) : await readKernel(options)), ...firmware };
}

async function readImage(options: MachineRunOptions): Promise<Guest> {
  if (options.initrd !== undefined) throw usageError('--initrd needs --kernel: an image brings its own');
  const image = await findImage(options.image);
  const own = options.append ?? '';
  const [kernel, initrd] = await Promise.all([readFile(image.kernelPath), readInitrd(image, own)]);
  return { kernel, initrd, bootArguments: `${image.defaultBootArguments} ${own}`.trim() };
}

async function readKernel(options: MachineRunOptions): Promise<Guest> {
  const bootArguments = options.append ?? '';
  if (options.kernel === undefined) {
    if (options.initrd !== undefined) throw usageError('--initrd needs --kernel');
    return { bootArguments };
  }
  if (options.image !== undefined) throw usageError('--kernel and --image exclude each other');
  const kernel = await readGiven(options.kernel);
  if (options.initrd === undefined) return { kernel, bootArguments };
  return { kernel, initrd: await readGiven(options.initrd), bootArguments };
}

/** With what a root on a disk needs, if the guest is to have one. */
async function readInitrd(image: GuestImage, bootArguments: string): Promise<Uint8Array> {
  const { initrdPath, diskModulesPath } = image;
  const hasRootDisk = /(?:^|\s)root=/.test(bootArguments);
  const paths = hasRootDisk && diskModulesPath !== null ? [initrdPath, diskModulesPath] : [initrdPath];
  return Buffer.concat(await Promise.all(paths.map((path) => readFile(path))));
}

async function findImage(digest: string | undefined): ReturnType<typeof ensureGuestImage> {
  if (digest !== undefined) return await loadGuestImage(digest);
  const progress = imageProgress();
  try {
    return await ensureGuestImage(progress.options);
  } finally {
    progress.close();
  }
}

async function readGiven(path: string): Promise<Uint8Array> {
  return await readFile(path).catch((cause: unknown) =>
    fail(
      'config.unreadable',
      `cannot read ${path}: ${cause instanceof Error ? cause.message : cause}`,
      cause,
    ),
  );
}
