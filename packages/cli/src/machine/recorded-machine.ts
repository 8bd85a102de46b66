/** Reads a recording and makes the machine again that it begins with. */
import { readFile } from 'node:fs/promises';
import {
  type CoreModules,
  decodeInputLog,
  type InputLog,
  MachineError,
  type MachineOutput,
  Replay,
} from '@skein/machine';
import { fail, usageError } from '../failure.ts';
import { remark } from '../terminal/console-terminal.ts';
import { bootLoneMachine, createLoneMachine, type LoneBoard } from './lone-board.ts';
import { OverlayDisk } from './overlay-disk.ts';
import { RawDisk } from './raw-disk.ts';
import { boardFiles, type RecordedFile, RecordedOrigin, sha256Of } from './recording.ts';

export interface RecordedMachine {
  readonly path: string;
  readonly log: InputLog;
  readonly origin: RecordedOrigin;
  readonly board: LoneBoard & { readonly disks: readonly OverlayDisk[] };
}

/**
 * @param diskPaths where copies of its disks are, from before the run; default: where the disks were
 * @throws MachineError log.invalid; OperationError config.unreadable for a file that is not there, or is no longer the
 *   one that was recorded
 */
export async function readRecording(
  path: string,
  diskPaths: readonly string[] = [],
): Promise<RecordedMachine> {
  const log = decodeRecording(path, (await readGiven(path)).toString('utf8'));
  const parsed = RecordedOrigin.safeParse(log.origin);
  if (!parsed.success) {
    throw new MachineError('log.invalid', `${path} does not say what its machine was started from`);
  }
  const origin = parsed.data;
  const { memoryMib, nics, bootArguments, randomSeed, rtcEpochSeconds } = origin;
  const files = await Promise.all(
    boardFiles.map(async (name) => {
      const file = origin[name];
      return file === undefined ? [] : [[name, await readRecorded(file)] as const];
    }),
  );
  const board = {
    memoryMib,
    nics,
    disks: openDisks(path, origin, diskPaths),
    bootArguments,
    randomSeed: new Uint8Array(Buffer.from(randomSeed, 'base64')),
    rtcEpochSeconds,
    ...Object.fromEntries(files.flat()),
  };
  return { path, log, origin, board };
}

/** @throws MachineError log.diverged if the machine does not start as the recorded one did */
export function startReplay(
  core: CoreModules,
  { path, log, board }: RecordedMachine,
  emit: (output: MachineOutput) => void,
): Replay {
  const machine = createLoneMachine(core, board, emit);
  bootLoneMachine(machine, board);
  try {
    return new Replay(machine, log, board.disks);
  } catch (cause) {
    if (cause instanceof Error && /^disk \d/.test(cause.message)) {
      const advice = 'give a copy from before the run with --disk';
      throw new MachineError('log.diverged', `${path}: ${cause.message}; ${advice}`, { cause });
    }
    const advice = 'another version of skein recorded it; replay it with that one';
    throw new MachineError('log.diverged', `${path}: the machine starts in another state: ${advice}`, {
      cause,
    });
  }
}

function openDisks(
  path: string,
  { disks }: RecordedOrigin,
  diskPaths: readonly string[],
): readonly OverlayDisk[] {
  if (diskPaths.length > 0 && diskPaths.length !== disks.length) {
    throw usageError(`${path} is of a machine with ${disks.length} disks; --disk names ${diskPaths.length}`);
  }
  return disks.map((disk, index) => {
    const file = new RawDisk({ path: diskPaths[index] ?? disk.path, isReadOnly: true, onError: remark });
    return new OverlayDisk(file, disk.isReadOnly);
  });
}

function decodeRecording(path: string, text: string): InputLog {
  try {
    return decodeInputLog(text);
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new MachineError('log.invalid', `${path}: ${reason}`, { cause });
  }
}

async function readRecorded({ path, sha256 }: RecordedFile): Promise<Uint8Array> {
  const bytes = await readGiven(path);
  if (sha256Of(bytes) === sha256) return bytes;
  return fail('config.unreadable', `${path} is not the file that was recorded: its SHA-256 was ${sha256}`);
}

async function readGiven(path: string): Promise<Buffer> {
  return await readFile(path).catch((cause: unknown) =>
    fail(
      'config.unreadable',
      `cannot read ${path}: ${cause instanceof Error ? cause.message : cause}`,
      cause,
    ),
  );
}
