/**
 * `skein machine run --snapshot FILE`: a machine as it was left, to go on from. A first line of JSON names the contents of its
 * disks, which are not in it: a guest that wakes beside another disk would destroy it. Behind it stands the snapshot.
 * The file is whole or absent, for its owner alone: it holds all that the guest's memory held.
 */
import { readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { type LoggedDisk, loadSnapshot, loggedDisksOf, type Machine, saveSnapshot } from '@skein/machine';
import { z } from 'zod';
import { fail } from '../failure.ts';

const Head = z.strictObject({
  format: z.literal('skein-machine-state'),
  version: z.literal(1),
  /** SHA-256 of each disk's content, in the order of their slots. */
  disks: z.array(z.string()),
  /** Of its vNIC, which keeps its address; absent if it had none. */
  mac: z.string().optional(),
});

const headBytesMax = 65_536;
const newline = 0x0a;

export class StateFile {
  readonly path: string;
  readonly #bytes: Uint8Array | null;

  /** @throws OperationError config.unreadable if there is such a file and it cannot be read */
  constructor(path: string) {
    this.path = path;
    this.#bytes = readIfThere(path);
  }

  /** There is a machine to go on from. */
  get isThere(): boolean {
    return this.#bytes !== null;
  }

  /** The address of the machine's vNIC; null if it had none, or if there is no machine. @throws OperationError config.invalid */
  get mac(): string | null {
    return this.isThere ? (this.#head().mac ?? null) : null;
  }

  /**
   * Makes the machine, fresh and with the same board, what the file says. Reads its disks whole, for their digests.
   * @throws OperationError config.invalid; MachineError snapshot.invalid, snapshot.version, snapshot.other-machine
   */
  load(machine: Machine): void {
    const { disks } = this.#head();
    if (JSON.stringify(digestsOf(loggedDisksOf(machine))) !== JSON.stringify(disks)) {
      const advice = 'give the same ones, as they were, or remove it to boot';
      fail(
        'config.invalid',
        `${this.path} was left beside other disks, or they have changed since: ${advice}`,
      );
    }
    const bytes = this.#bytes ?? new Uint8Array();
    loadSnapshot(machine, bytes.subarray(headLength(bytes) + 1));
  }

  /** @throws OperationError machine.failed if it cannot be written; the file of before is then as it was */
  save(machine: Machine, mac: string | null): void {
    const fields: z.input<typeof Head> = {
      format: 'skein-machine-state',
      version: 1,
      disks: digestsOf(loggedDisksOf(machine)),
      ...(mac === null ? {} : { mac }),
    };
    const head = `${JSON.stringify(fields)}\n`;
    const temporary = `${this.path}.${process.pid}.partial`;
    try {
      writeFileSync(temporary, Buffer.concat([Buffer.from(head), saveSnapshot(machine)]), { mode: 0o600 });
      renameSync(temporary, this.path);
    } catch (cause) {
      rmSync(temporary, { force: true });
      const reason = cause instanceof Error ? cause.message : String(cause);
      fail('machine.failed', `the machine's state cannot be kept in ${this.path}: ${reason}`, cause);
    }
  }

  #head(): z.infer<typeof Head> {
    const bytes = this.#bytes ?? new Uint8Array();
    const line = Buffer.from(bytes.subarray(0, headLength(bytes))).toString('utf8');
    const head = Head.safeParse(parseJson(line));
    if (head.success) return head.data;
    return fail('config.invalid', `${this.path} is no machine's state; name another file, or remove it`);
  }

  /** The guest is off: going on from before would be going back. */
  remove(): void {
    rmSync(this.path, { force: true });
  }
}

/** Up to the end of the first line, if there is one where it could be. */
function headLength(bytes: Uint8Array): number {
  return Math.max(0, bytes.subarray(0, headBytesMax).indexOf(newline));
}

function digestsOf(disks: readonly LoggedDisk[]): string[] {
  return disks.map(({ digest }) => digest);
}

function readIfThere(path: string): Uint8Array | null {
  try {
    return readFileSync(path);
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return null;
    const reason = cause instanceof Error ? cause.message : String(cause);
    return fail('config.unreadable', `cannot read ${path}: ${reason}`, cause);
  }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
