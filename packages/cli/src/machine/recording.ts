/**
 * `skein machine run --record FILE`: writes the log of a machine's inputs while it runs. The log names the files that
 * the machine was started from with their digests; it does not hold them. What a disk held at the start is known by its
 * digest alone: who wants to replay a guest that writes to its disks keeps a copy from before.
 * Omitted: more than one start; a guest that reboots ends its recording.
 */
import { createHash } from 'node:crypto';
import { closeSync, openSync, writeSync } from 'node:fs';
import { resolve } from 'node:path';
import {
  diskErrorsSince,
  encodeLogEnd,
  encodeLogged,
  encodeLogHead,
  InputStamp,
  type LoggedDisk,
  loggedDisksOf,
  type Machine,
  type MachineInput,
} from '@skein/machine';
import { z } from 'zod';
import { fail } from '../failure.ts';
import type { LoneBoard } from './lone-board.ts';

/** What a board's memory is filled with when it starts, each from a file. */
export const boardFiles = ['kernel', 'firmware', 'initrd', 'diskModules'] as const;

const RecordedFile = z.strictObject({ path: z.string(), sha256: z.string().regex(/^[0-9a-f]{64}$/) });

/** The first line of a recording has this as its origin. */
export const RecordedOrigin = z.strictObject({
  memoryMib: z.int().positive(),
  kernel: RecordedFile.optional(),
  firmware: RecordedFile.optional(),
  initrd: RecordedFile.optional(),
  diskModules: RecordedFile.optional(),
  nics: z.array(z.strictObject({ mac: z.string() })).max(1),
  /** In the order of their slots; what they held stands in the log itself. */
  disks: z.array(z.strictObject({ path: z.string(), isReadOnly: z.boolean() })),
  bootArguments: z.string(),
  randomSeed: z.base64(),
  rtcEpochSeconds: z.number(),
});
export type RecordedOrigin = z.infer<typeof RecordedOrigin>;

export type RecordedFile = z.infer<typeof RecordedFile>;

/** Where the files of a board were read from, and those that are its disks. */
export type BoardPaths = { readonly [Name in (typeof boardFiles)[number]]?: string } & {
  readonly disks: readonly string[];
};

/** Lines are written in pieces of at least so many characters. */
const pieceLength = 65_536;

export class Recording {
  readonly #file: number;
  readonly #path: string;
  #pending = '';
  #stamp: InputStamp | null = null;
  #startDisks: readonly LoggedDisk[] = [];

  /** @throws OperationError config.unreadable if there is such a file already, or none can be made */
  constructor(path: string) {
    this.#path = path;
    try {
      this.#file = openSync(path, 'wx');
    } catch (cause) {
      const reason = cause instanceof Error ? cause.message : String(cause);
      fail('config.unreadable', `cannot record to ${path}: ${reason}; name a new file`, cause);
    }
  }

  /** The machine has just been started from this board. Reads its disks whole, for their digests. */
  begin(machine: Machine, board: LoneBoard, paths: BoardPaths): void {
    const origin = describeOrigin(board, paths);
    this.#stamp = new InputStamp(machine);
    this.#startDisks = loggedDisksOf(machine);
    this.#pending += encodeLogHead({
      startHash: machine.stateHash(),
      startSteps: machine.steps,
      startDisks: this.#startDisks,
      origin,
    });
  }

  /** Right before the machine gets it. @throws OperationError machine.failed if it can't be written */
  note(input: MachineInput): void {
    if (this.#stamp === null) return;
    this.#pending += encodeLogged(this.#stamp.stamp(input));
    if (this.#pending.length >= pieceLength) this.#write();
  }

  /** The machine will not run any further. */
  finish(machine: Machine): void {
    const end = { steps: machine.steps, hash: machine.stateHash() };
    this.#pending += encodeLogEnd(end, diskErrorsSince(machine, this.#startDisks));
    this.#write();
    closeSync(this.#file);
  }

  /** The machine failed: what led there is kept, without an end. */
  cutOff(): void {
    try {
      this.#write();
    } catch {
      // The failure itself is reported, and may be this one.
    }
    closeSync(this.#file);
  }

  #write(): void {
    const bytes = Buffer.from(this.#pending);
    this.#pending = '';
    try {
      for (let at = 0; at < bytes.length; ) at += writeSync(this.#file, bytes, at);
    } catch (cause) {
      const reason = cause instanceof Error ? cause.message : String(cause);
      fail('machine.failed', `cannot go on recording to ${this.#path}: ${reason}`, cause);
    }
  }
}

export function sha256Of(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

function describeOrigin(board: LoneBoard, paths: BoardPaths): RecordedOrigin {
  const { memoryMib, bootArguments, rtcEpochSeconds } = board;
  const files = boardFiles.flatMap((name) => {
    const [bytes, path] = [board[name], paths[name]];
    if (bytes === undefined || path === undefined) return [];
    return [[name, { path: resolve(path), sha256: sha256Of(bytes) }] as const];
  });
  return {
    memoryMib,
    nics: board.nics.map(({ mac }) => ({ mac })),
    ...Object.fromEntries(files),
    disks: board.disks.map(({ isReadOnly }, index) => ({
      path: resolve(paths.disks[index] ?? ''),
      isReadOnly,
    })),
    bootArguments,
    randomSeed: Buffer.from(board.randomSeed).toString('base64'),
    rtcEpochSeconds,
  };
}
