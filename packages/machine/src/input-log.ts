/**
 * The record of everything that entered a machine, by (steps, sequence), and its replay. A machine that starts from
 * the same state and is given the same log ends in the same state (architecture: Five ideas, 1).
 * File format (.skl): JSON lines. The first names the format, its version, the state that the log begins at and, for
 * whoever makes that state again, the machine's origin; the last one, if recording came to its end, the state there.
 * Omitted: logs larger than the longest string (hours of a busy machine).
 */
import type { DiskInput, MachineInput } from './input.ts';
import type { Machine } from './machine.ts';
import { MachineError } from './machine-error.ts';
import { loadSnapshot, saveSnapshot } from './snapshot.ts';

export interface LoggedInput {
  readonly steps: bigint;
  /** Counts the inputs at one value of steps. */
  readonly sequence: number;
  readonly input: MachineInput;
}

/** A place in a machine's run: how far, and a digest of all its state there. */
export interface LogPlace {
  readonly steps: bigint;
  readonly hash: bigint;
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
  /** What the machine was made from, in the recorder's own words; any JSON object. */
  readonly origin?: Readonly<Record<string, unknown>>;
  readonly inputs: readonly LoggedInput[];
  /** Where recording ended; absent if it was cut off. */
  readonly end?: LogPlace;
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

/** Says where in a machine's run its inputs stand. */
export class InputStamp {
  readonly #machine: Machine;
  #lastSteps = -1n;
  #sequence = 0;

  constructor(machine: Machine) {
    this.#machine = machine;
  }

  /** To be called for every input, right before the machine gets it. */
  stamp(input: MachineInput): LoggedInput {
    const { steps } = this.#machine;
    this.#sequence = steps === this.#lastSteps ? this.#sequence + 1 : 0;
    this.#lastSteps = steps;
    return { steps, sequence: this.#sequence, input };
  }
}

/** Passes inputs on to a machine and remembers them. */
export class InputRecorder {
  readonly #machine: Machine;
  readonly #stamp: InputStamp;
  readonly #inputs: LoggedInput[] = [];
  readonly #startHash: bigint;
  readonly #startSteps: bigint;
  readonly #startDisks: readonly LoggedDisk[];

  /** Reads the machine's disks whole, for their digests. Throws what the host says if it can't. */
  constructor(machine: Machine) {
    this.#machine = machine;
    this.#stamp = new InputStamp(machine);
    this.#startHash = machine.stateHash();
    this.#startSteps = machine.steps;
    this.#startDisks = loggedDisksOf(machine);
  }

  apply(input: MachineInput): void {
    this.#inputs.push(this.#stamp.stamp(copyOf(input)));
    this.#machine.apply(input);
  }

  get log(): InputLog {
    const errors = diskErrorsSince(this.#machine, this.#startDisks);
    const startDisks = this.#startDisks.map(({ digest }, index) => ({
      digest,
      hostErrors: errors[index] ?? 0,
    }));
    return {
      startHash: this.#startHash,
      startSteps: this.#startSteps,
      startDisks,
      inputs: [...this.#inputs],
    };
  }
}

/** The machine's disks as they are now. Reads them whole. */
export function loggedDisksOf(machine: Machine): readonly LoggedDisk[] {
  return disksOf(machine).map((disk) => ({ digest: disk.contentDigest(), hostErrors: disk.hostErrors }));
}

/** What the host failed to do for each disk since they were logged. */
export function diskErrorsSince(machine: Machine, logged: readonly LoggedDisk[]): readonly number[] {
  const now = disksOf(machine);
  return logged.map(({ hostErrors }, index) => (now[index]?.hostErrors ?? 0) - hostErrors);
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
  new Replay(machine, log).runTo(untilSteps);
}

/** Something that can go back to what it was. */
export interface Restorable {
  /** Returns what brings back the present state, however often. */
  save(): () => void;
}

/** A machine that is given a log again. */
export class Replay {
  readonly machine: Machine;
  readonly #log: InputLog;
  readonly #disks: readonly Restorable[];
  #next = 0;

  /**
   * @param disks what `save` must save beside the machine: its disks' contents are no part of its state
   * @throws MachineError log.diverged if the machine is not where the log begins
   */
  constructor(machine: Machine, log: InputLog, disks: readonly Restorable[] = []) {
    this.machine = machine;
    this.#log = log;
    this.#disks = disks;
    if (machine.steps !== log.startSteps || machine.stateHash() !== log.startHash) {
      throw new MachineError('log.diverged', 'the machine is not in the state that the log begins at');
    }
    checkDisks(machine, log.startDisks);
  }

  /**
   * Goes on until so many steps are done and the inputs stamped with them are applied.
   * @throws MachineError log.diverged if the machine stops where the recorded one did not
   */
  runTo(untilSteps: bigint): void {
    for (let logged = this.#log.inputs[this.#next]; logged !== undefined; ) {
      if (logged.steps > untilSteps) break;
      runTo(this.machine, logged.steps);
      this.machine.apply(logged.input);
      this.#next += 1;
      logged = this.#log.inputs[this.#next];
    }
    runTo(this.machine, untilSteps);
  }

  save(): () => void {
    const snapshot = saveSnapshot(this.machine);
    const disks = this.#disks.map((disk) => disk.save());
    const next = this.#next;
    return () => {
      loadSnapshot(this.machine, snapshot);
      for (const restore of disks) restore();
      this.#next = next;
    };
  }
}

/** How far a log goes: to its end, or to its last input. */
export function lastStepsOf({ startSteps, inputs, end }: InputLog): bigint {
  return end?.steps ?? inputs.at(-1)?.steps ?? startSteps;
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
  const end = log.end === undefined ? '' : encodeLogEnd(log.end);
  return [encodeLogHead(log), ...log.inputs.map(encodeLogged), end].join('');
}

/** The first line. A log may be written while it grows: this, inputs, and the end. */
export function encodeLogHead(log: Omit<InputLog, 'inputs' | 'end'>): string {
  const { startHash, startSteps, startDisks, origin } = log;
  const head = {
    format,
    version,
    startHash: startHash.toString(16),
    startSteps: startSteps.toString(),
    ...(startDisks.length === 0 ? {} : { disks: startDisks }),
    ...(origin && { origin }),
  };
  return `${JSON.stringify(head)}\n`;
}

export function encodeLogged({ steps, sequence, input }: LoggedInput): string {
  return `${JSON.stringify({ steps: steps.toString(), sequence, input: encodeInput(input) })}\n`;
}

/** @param diskErrors what each disk's hostErrors come to, where the head was written before they were known */
export function encodeLogEnd({ steps, hash }: LogPlace, diskErrors?: readonly number[]): string {
  const end = { steps: steps.toString(), hash: hash.toString(16), ...(diskErrors && { diskErrors }) };
  return `${JSON.stringify({ end })}\n`;
}

function encodeInput(input: MachineInput): Record<string, unknown> {
  if (input.type === 'time') return { ...input, guestTicks: input.guestTicks.toString() };
  if (input.type === 'console' || input.type === 'identity')
    return { ...input, bytes: Buffer.from(input.bytes).toString('base64') };
  if (input.type === 'frame') return { ...input, frame: Buffer.from(input.frame).toString('base64') };
  return { ...input };
}

/** @throws MachineError log.invalid, with the line */
export function decodeInputLog(text: string): InputLog {
  const [head, ...lines] = text.trimEnd().split('\n');
  const header = parseLine(head ?? '', 1);
  if (header.format !== format || header.version !== version) throw refused(1);
  const end = decodeEnd(lines.at(-1) ?? '', lines.length + 1);
  if (end !== undefined) lines.pop();
  return {
    startHash: wholeNumber(`0x${String(header.startHash)}`, 1),
    startSteps: wholeNumber(header.startSteps, 1),
    startDisks: decodeDisks(header.disks, end?.diskErrors),
    ...(isRecord(header.origin) && { origin: header.origin }),
    inputs: lines.map((line, index) => decodeLine(line, index + 2)),
    ...(end && { end: { steps: end.steps, hash: end.hash } }),
  };
}

/** Nothing for a line that is not the last one of a whole log. */
function decodeEnd(line: string, number: number): (LogPlace & { readonly diskErrors: unknown }) | undefined {
  if (!line.startsWith('{"end"')) return undefined;
  const { end } = parseLine(line, number);
  if (!isRecord(end)) throw refused(number);
  return {
    steps: wholeNumber(end.steps, number),
    hash: wholeNumber(`0x${String(end.hash)}`, number),
    diskErrors: end.diskErrors,
  };
}

/** A machine without disks has none in its log. */
function decodeDisks(disks: unknown, laterErrors: unknown): LoggedDisk[] {
  if (disks === undefined) return [];
  if (!Array.isArray(disks)) throw refused(1);
  return disks.map((disk: unknown, index) => {
    const { digest, ...logged } = (disk ?? {}) as Record<string, unknown>;
    const hostErrors: unknown = Array.isArray(laterErrors) ? laterErrors[index] : logged.hostErrors;
    if (typeof digest !== 'string' || !/^[0-9a-f]{64}$/.test(digest)) throw refused(1);
    if (typeof hostErrors !== 'number' || !Number.isInteger(hostErrors) || hostErrors < 0) throw refused(1);
    return { digest, hostErrors };
  });
}

function decodeLine(line: string, number: number): LoggedInput {
  const { steps, sequence, input } = parseLine(line, number);
  if (typeof sequence !== 'number' || !isRecord(input)) throw refused(number);
  return { steps: wholeNumber(steps, number), sequence, input: decodeInput(input, number) };
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
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
    if (isRecord(value)) return value;
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
