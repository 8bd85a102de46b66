/** `skein machine run`: one machine without any cluster, its console on this terminal, its exit code ours. */
import { randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { readyMarker } from '@skein/guests';
import { loadCore } from '@skein/machine';
import { memoryMibMax } from '@skein/shared';
import type { Command } from 'commander';
import { exitCodeInterrupted, fail, usageError } from '../failure.ts';
import { disksMax, randomSeedBytes } from '../machine/lone-board.ts';
import { LoneMachine } from '../machine/lone-machine.ts';
import { LoneNetwork } from '../machine/lone-network.ts';
import { RawDisk } from '../machine/raw-disk.ts';
import { type BoardPaths, Recording } from '../machine/recording.ts';
import { StateFile } from '../machine/state-file.ts';
import { ConsoleTerminal, remark } from '../terminal/console-terminal.ts';
import { HeldInput } from '../terminal/held-input.ts';
import { countArgument, type DiskArgument, diskArgument, memoryArgument, nicArgument } from './argument.ts';
import { findImage, imageArgument } from './guest-image.ts';
import { addMachineDiffCommand } from './machine-diff.ts';
import { addMachineReplayCommand } from './machine-replay.ts';
import { finishWith } from './outcome.ts';
import { stateFolderOf } from './shared-options.ts';

export interface MachineRunOptions {
  readonly memory: number;
  readonly kernel?: string;
  readonly bios?: string;
  readonly initrd?: string;
  readonly append?: string;
  readonly image?: string;
  readonly record?: string;
  readonly snapshot?: string;
  /** The switch that its vNIC is plugged into; null: it has no vNIC. */
  readonly nic: string | null;
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
    .option(
      `--image ${imageArgument}`,
      'a guest image; by a name the present one, made if need be (default: debian)',
    )
    .option('--record <FILE>', 'write all that enters the machine to a new file, for machine replay and diff')
    .option(
      '--snapshot <FILE>',
      'when the machine is left (Ctrl-], SIGTERM), keep its state there; if there is one, go on from it instead of booting',
    )
    .option(
      '--disk <FILE[,ro]>',
      'a file as a disk of the guest, sector for sector; ,ro: for reading alone. Can be given several times',
      diskArgument,
      [],
    )
    .option(
      '--nic <none|switch:NAME>',
      'a vNIC in a switch, which it shares with the other machines here that name it',
      nicArgument,
      null,
    )
    .option(
      '--balloon <MIB>',
      'how much of its memory the guest is asked to give up, in MiB',
      countArgument(0, memoryMibMax, 'MiB'),
      0,
    )
    .action(async (options: MachineRunOptions, command: Command) =>
      finishWith(await runMachine(options, stateFolderOf(command))),
    );
  addMachineReplayCommand(machine);
  addMachineDiffCommand(machine);
}

async function runMachine(options: MachineRunOptions, stateFolder: string): Promise<number> {
  if (options.disk.length > disksMax) {
    throw usageError(
      `--disk was given ${options.disk.length} times; a machine has at most ${disksMax} disks`,
    );
  }
  if (options.balloon >= options.memory) {
    throw usageError(`--balloon asks for ${options.balloon} MiB; the machine has ${options.memory}`);
  }
  if (options.snapshot !== undefined && options.record !== undefined) {
    throw usageError('--record and --snapshot exclude each other: a recording begins with a boot');
  }
  const state = options.snapshot === undefined ? undefined : new StateFile(options.snapshot);
  const disks: RawDisk[] = [];
  try {
    for (const { path, isReadOnly } of options.disk) {
      disks.push(new RawDisk({ path, isReadOnly, onError: remark }));
    }
    const [core, guest] = await Promise.all([loadCore(), readGuest(options)]);
    const network = options.nic === null ? null : new LoneNetwork(options.nic, stateFolder, state?.mac);
    return await runOnTerminal(options, core, guest, { disks, state, network });
  } finally {
    for (const disk of disks) disk.close();
  }
}

async function runOnTerminal(
  options: MachineRunOptions,
  core: Awaited<ReturnType<typeof loadCore>>,
  guest: Guest,
  surroundings: Surroundings,
): Promise<number> {
  let isInterrupted = false;
  const { state, network } = surroundings;
  const isResumed = state?.isThere === true;
  // A person sees when the guest listens; a pipe does not, but our images say so. Other guests get what comes.
  const isPiped = process.stdin.isTTY !== true && usesImage(options);
  const isHeld = isPiped && !isResumed;
  const input = new HeldInput({ readyMarker, deliver: (bytes) => machine.type(bytes) });
  const terminal = new ConsoleTerminal({
    onInput: (bytes) => (isHeld ? input.type(bytes) : machine.type(bytes)),
    onInputEnd: () => {
      const last = new Uint8Array(Buffer.from(lastCommand));
      if (!isPiped || !endsWithInput(options)) return;
      if (isHeld) input.type(last);
      else machine.type(last);
    },
    onLeave: (reason) => {
      isInterrupted = reason === 'signal';
      machine.end();
    },
    onDrain: () => machine.resumeOutput(),
  });
  const onConsole = (bytes: Uint8Array): boolean => {
    input.heard(bytes);
    return terminal.write(bytes);
  };
  const machine = await createMachine(options, core, guest, surroundings, onConsole).catch(
    async (error: unknown) => {
      await terminal.close();
      throw error;
    },
  );
  if (isResumed) terminal.remark(`going on from ${state.path}`);
  if (terminal.isInteractive) terminal.remark('Ctrl-] ends the machine');
  try {
    const ending = await machine.run();
    if (ending.reason === 'off') state?.remove();
    else if (state !== undefined) machine.saveTo(state);
    if (ending.reason === 'ended') {
      terminal.remark(state === undefined ? 'the machine was ended' : `the machine is in ${state.path}`);
    }
    if (ending.reason === 'rebooted') terminal.remark('the guest reboots; its recording ends here');
    return isInterrupted ? exitCodeInterrupted : ending.exitCode;
  } finally {
    network?.close();
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

/** What the machine has beside its board's chips. */
interface Surroundings {
  readonly disks: readonly RawDisk[];
  readonly state: StateFile | undefined;
  readonly network: LoneNetwork | null;
}

interface Guest {
  readonly kernel?: Uint8Array;
  readonly firmware?: Uint8Array;
  readonly initrd?: Uint8Array;
  readonly diskModules?: Uint8Array;
  readonly bootArguments: string;
  readonly paths: Omit<BoardPaths, 'disks'>;
}

async function createMachine(
  options: MachineRunOptions,
  core: Awaited<ReturnType<typeof loadCore>>,
  guest: Guest,
  { disks, state, network }: Surroundings,
  onConsole: (bytes: Uint8Array) => boolean,
): Promise<LoneMachine> {
  const { paths: files, ...given } = guest;
  const paths = { ...files, disks: options.disk.map(({ path }) => path) };
  const machine = new LoneMachine({
    core,
    memoryMib: options.memory,
    ...given,
    disks,
    balloonMib: options.balloon,
    randomSeed: new Uint8Array(randomBytes(randomSeedBytes)),
    rtcEpochSeconds: Date.now() / 1000,
    nics: network === null ? [] : [{ mac: network.mac }],
    onConsole,
    onFrame: (frame) => network?.send(frame),
    ...(state !== undefined && { state }),
    ...(options.record !== undefined && { recording: { file: new Recording(options.record), paths } }),
  });
  await network?.join((frame) => machine.receive(frame));
  return machine;
}

async function readGuest(options: MachineRunOptions): Promise<Guest> {
  const guest = usesImage(options) ? await readImage(options) : await readKernel(options);
  if (options.bios === undefined) return guest;
  const paths = { ...guest.paths, firmware: options.bios };
  return { ...guest, firmware: await readGiven(options.bios), paths };
}

async function readImage(options: MachineRunOptions): Promise<Guest> {
  if (options.initrd !== undefined) throw usageError('--initrd needs --kernel: an image brings its own');
  const image = await findImage(options.image);
  const { kernelPath, initrdPath, diskModulesPath } = image;
  const bootArguments = `${image.defaultBootArguments} ${options.append ?? ''}`.trim();
  const [kernel, initrd] = await Promise.all([readFile(kernelPath), readFile(initrdPath)]);
  const guest = { kernel, initrd, bootArguments };
  const paths = { kernel: kernelPath, initrd: initrdPath };
  if (diskModulesPath === null || !hasRootDisk(bootArguments)) return { ...guest, paths };
  return {
    ...guest,
    diskModules: await readFile(diskModulesPath),
    paths: { ...paths, diskModules: diskModulesPath },
  };
}

async function readKernel(options: MachineRunOptions): Promise<Guest> {
  const bootArguments = options.append ?? '';
  if (options.kernel === undefined) {
    if (options.initrd !== undefined) throw usageError('--initrd needs --kernel');
    return { bootArguments, paths: {} };
  }
  if (options.image !== undefined) throw usageError('--kernel and --image exclude each other');
  const kernel = await readGiven(options.kernel);
  const common = { kernel, bootArguments };
  if (options.initrd === undefined) return { ...common, paths: { kernel: options.kernel } };
  const paths = { kernel: options.kernel, initrd: options.initrd };
  return { ...common, initrd: await readGiven(options.initrd), paths };
}

/** Then the image's init needs what it has for disks. */
function hasRootDisk(bootArguments: string): boolean {
  return /(?:^|\s)root=/.test(bootArguments);
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
