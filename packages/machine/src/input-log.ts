/**
 * The record of everything that entered a machine, by (steps, sequence), and its replay. A machine that starts from
 * the same state and is given the same log ends in the same state (architecture: Five ideas, 1).
 * File format: JSON lines; the first names the format, its version and the state that the log begins at.
 */
import type { DiskInput, MachineInput } from './input.ts';
import type { Machine } from './machine.ts';
import { MachineError } from './machine-error.ts';

export interface LoggedInput {
  readonly steps: bigint;
  /** Counts the inputs at one value of steps. */
  readonly sequence: number;
  readonly input: MachineInput;
}

/** A disk as a recording found it. */
export interface LoggedDisk {
  /** SHA-256 of its content where recording began, hexadecimal. */
  readonly digest: string;
  /** Requests that the host failed to do while it was recorded. */
  readonly hostErrors: number;
}

export interface InputLog {
  /** State hash and steps where recording began. */
  readonly startHash: bigint;
  readonly startSteps: bigint;
  /** What the disks held there. What is read from them later follows from that and from the run, so it is not in a log. */
  readonly startDisks: readonly LoggedDisk[];
  readonly inputs: readonly LoggedInput[];
}

const format = 'skein-input-log';
const version = 1;
const inputTypes: ReadonlySet<string> = new Set([
  'time',
  'console',
  'frame',
  'link',
  'announce',
  'identity',
  'balloon',
  'power',
]);

/** Passes inputs on to a machine and remembers them. */
export class InputRecorder {
  readonly #machine: Machine;
  readonly #inputs: LoggedInput[] = [];
  readonly #startHash: bigint;
  readonly #startSteps: bigint;
  readonly #startDisks: readonly LoggedDisk[];
  #lastSteps = -1n;
  #sequence = 0;

  /** Reads the machine's disks whole, for their digests. Throws what the host says if it can't. */
  constructor(machine: Machine) {
    this.#machine = machine;
    this.#startHash = machine.stateHash();
    this.#startSteps = machine.steps;
    this.#startDisks = disksOf(machine).map((disk) => ({
      digest: disk.contentDigest(),
      hostErrors: disk.hostErrors,
    }));
  }

  apply(input: MachineInput): void {
    const { steps } = this.#machine;
    this.#sequence = steps === this.#lastSteps ? this.#sequence + 1 : 0;
    this.#lastSteps = steps;
    this.#inputs.push({ steps, sequence: this.#sequence, input: copyOf(input) });
    this.#machine.apply(input);
  }

  get log(): InputLog {
    const now = disksOf(this.#machine);
    const startDisks = this.#startDisks.map(({ digest, hostErrors }, index) => ({
      digest,
      hostErrors: (now[index]?.hostErrors ?? 0) - hostErrors,
    }));
    return {
      startHash: this.#startHash,
      startSteps: this.#startSteps,
      startDisks,
      inputs: [...this.#inputs],
    };
  }
}

function disksOf(machine: Machine): readonly DiskInput[] {
  return machine.board.disks ?? [];
}

/** Callers reuse their buffers; a log keeps what was in them. */
function copyOf(input: MachineInput): MachineInput {
  if (input.type === 'console' || input.type === 'identity') return { ...input, bytes: input.bytes.slice() };
  if (input.type === 'frame') return { ...input, frame: input.frame.slice() };
  return input;
}

/**
 * Runs a machine from the log's start to `untilSteps`, applying each input at its step.
 * @throws MachineError log.diverged if it starts elsewhere, with another content of a disk, or stops where the recorded
 * machine did not.
 */
export function replay(machine: Machine, log: InputLog, untilSteps: bigint): void {
  if (machine.steps !== log.startSteps || machine.stateHash() !== log.startHash) {
    throw new MachineError('log.diverged', 'the machine is not in the state that the log begins at');
  }
  checkDisks(machine, log.startDisks);
  for (const { steps, input } of log.inputs) {
    runTo(machine, steps);
    machine.apply(input);
  }
  runTo(machine, untilSteps);
}

function checkDisks(machine: Machine, logged: readonly LoggedDisk[]): void {
  const disks = disksOf(machine);
  if (disks.length !== logged.length) {
    const message = `the log is of a machine with ${logged.length} disks, this one has ${disks.length}`;
    throw new MachineError('log.diverged', message);
  }
  for (const [index, { digest, hostErrors }] of logged.entries()) {
    if (hostErrors > 0) {
      const message = `disk ${index} failed ${hostErrors} times while this was recorded: it can't be repeated`;
      throw new MachineError('log.diverged', message);
    }
    if (disks[index]?.contentDigest() !== digest) {
      const message = `disk ${index} does not hold what the recording began with, whose SHA-256 is ${digest}`;
      throw new MachineError('log.diverged', message);
    }
  }
}

function runTo(machine: Machine, steps: bigint): void {
  while (machine.steps < steps) {
    const left = steps - machine.steps;
    const { reason } = machine.run(left > 0x7fff_ffffn ? 0x7fff_ffff : Number(left));
    if (reason !== 'limit' && machine.steps < steps) {
      const where = `at step ${machine.steps}, ${left} before its next input`;
      throw new MachineError('log.diverged', `the machine stops (${reason}) ${where}`);
    }
  }
}

export function encodeInputLog(log: InputLog): string {
  const head = {
    format,
    version,
    startHash: log.startHash.toString(16),
    startSteps: log.startSteps.toString(),
    ...(log.startDisks.length === 0 ? {} : { disks: log.startDisks }),
  };
  const lines = log.inputs.map(({ steps, sequence, input }) =>
    JSON.stringify({ steps: steps.toString(), sequence, input: encodeInput(input) }),
  );
  return `${[JSON.stringify(head), ...lines].join('\n')}\n`;
}

function encodeInput(input: MachineInput): Record<string, unknown> {
  if (input.type === 'time') return { ...input, guestTicks: input.guestTicks.toString() };
  if (input.type === 'console' || input.type === 'identity')
    return { ...input, bytes: Buffer.from(input.bytes).toString('base64') };
  if (input.type === 'frame') return { ...input, frame: Buffer.from(input.frame).toString('base64') };
  return { ...input };
}

/** @throws MachineError log.invalid */
export function decodeInputLog(text: string): InputLog {
  const [head, ...lines] = text.trimEnd().split('\n');
  const header = parseLine(head ?? '', 1);
  if (header.format !== format || header.version !== version) throw refused(1);
  return {
    startHash: wholeNumber(`0x${String(header.startHash)}`, 1),
    startSteps: wholeNumber(header.startSteps, 1),
    startDisks: decodeDisks(header.disks),
    inputs: lines.map((line, index) => decodeLine(line, index + 2)),
  };
}

/** A machine without disks has none in its log. */
function decodeDisks(disks: unknown): LoggedDisk[] {
  if (disks === undefined) return [];
  if (!Array.isArray(disks)) throw refused(1);
  return disks.map((disk: unknown) => {
    const { digest, hostErrors } = (disk ?? {}) as Record<string, unknown>;
    if (typeof digest !== 'string' || !/^[0-9a-f]{64}$/.test(digest)) throw refused(1);
    if (typeof hostErrors !== 'number' || !Number.isInteger(hostErrors) || hostErrors < 0) throw refused(1);
    return { digest, hostErrors };
  });
}

function decodeLine(line: string, number: number): LoggedInput {
  const { steps, sequence, input } = parseLine(line, number);
  if (typeof sequence !== 'number' || typeof input !== 'object' || input === null) throw refused(number);
  return {
    steps: wholeNumber(steps, number),
    sequence,
    input: decodeInput(input as Record<string, unknown>, number),
  };
}

function decodeInput(fields: Record<string, unknown>, line: number): MachineInput {
  const { type } = fields;
  if (typeof type !== 'string' || !inputTypes.has(type)) throw refused(line);
  const nic =
    typeof fields.nic === 'number' && Number.isInteger(fields.nic) && fields.nic >= 0 ? fields.nic : -1;
  switch (type) {
    case 'time':
      if (typeof fields.ratePerStep !== 'number') throw refused(line);
      return { type, guestTicks: wholeNumber(fields.guestTicks, line), ratePerStep: fields.ratePerStep };
    case 'console':
    case 'identity':
      return { type, bytes: bytesOf(fields.bytes, line) };
    case 'balloon': {
      const { targetPages } = fields;
      if (typeof targetPages !== 'number' || !Number.isSafeInteger(targetPages) || targetPages < 0) {
        throw refused(line);
      }
      return { type, targetPages };
    }
    case 'power':
      return { type, action: 'off' };
    default:
      if (nic < 0) throw refused(line);
      if (type === 'frame') return { type, nic, frame: bytesOf(fields.frame, line) };
      if (type === 'announce') return { type, nic };
      return { type: 'link', nic, isUp: fields.isUp === true };
  }
}

function parseLine(line: string, number: number): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(line);
    if (typeof value === 'object' && value !== null) return value as Record<string, unknown>;
  } catch {
    // Reported below, with its line.
  }
  throw refused(number);
}

function wholeNumber(value: unknown, line: number): bigint {
  if (typeof value !== 'string' || !/^(\d{1,20}|0x[0-9a-f]{1,16})$/.test(value)) throw refused(line);
  return BigInt(value);
}

function bytesOf(value: unknown, line: number): Uint8Array {
  if (typeof value !== 'string') throw refused(line);
  return new Uint8Array(Buffer.from(value, 'base64'));
}

function refused(line: number): MachineError {
  return new MachineError('log.invalid', `line ${line} is not one of an input log`);
}
