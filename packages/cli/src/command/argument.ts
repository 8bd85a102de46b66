/** Values of options and arguments as people type them; a wrong one is a usage error that says what is allowed. */
import {
  IpV4Interface,
  MemoryMib,
  memoryMibMax,
  memoryMibMin,
  Name,
  NetworkKind,
  networkKinds,
} from '@skein/shared';
import { InvalidArgumentError } from 'commander';

export function memoryArgument(text: string): number {
  const parsed = MemoryMib.safeParse(wholeNumber(text));
  if (!parsed.success) {
    throw new InvalidArgumentError(
      `It must be a whole number of MiB from ${memoryMibMin} to ${memoryMibMax}.`,
    );
  }
  return parsed.data;
}

export function nameArgument(text: string): string {
  if (!Name.safeParse(text).success) {
    throw new InvalidArgumentError('It must be a DNS label: a-z, 0-9 and -, at most 63 characters.');
  }
  return text;
}

export function networkArgument(text: string): NetworkKind {
  const parsed = NetworkKind.safeParse(text);
  if (!parsed.success) throw new InvalidArgumentError(`It must be one of ${networkKinds.join(', ')}.`);
  return parsed.data;
}

export function addressArgument(text: string): string {
  const parsed = IpV4Interface.safeParse(text);
  if (parsed.success) return parsed.data;
  const reason = parsed.error.issues[0]?.message ?? 'it is none';
  throw new InvalidArgumentError(
    `It must be an address with its prefix length, such as 10.77.0.11/24: ${reason}.`,
  );
}

export interface DiskArgument {
  readonly path: string;
  readonly isReadOnly: boolean;
}

const readOnlyMark = ',ro';

/** `FILE` or `FILE,ro`, added to those given before. */
export function diskArgument(text: string, before: readonly DiskArgument[]): readonly DiskArgument[] {
  const isReadOnly = text.endsWith(readOnlyMark);
  const path = isReadOnly ? text.slice(0, -readOnlyMark.length) : text;
  if (path === '') throw new InvalidArgumentError('It must name a file.');
  return [...before, { path, isReadOnly }];
}

/** A file, added to those given before. */
export function anotherPath(text: string, before: readonly string[]): readonly string[] {
  return [...before, text];
}

/** `none` is null; `switch:NAME` the name. */
export function nicArgument(text: string): string | null {
  if (text === 'none') return null;
  const [, name = ''] = /^switch:(.*)$/.exec(text) ?? [];
  if (Name.safeParse(name).success) return name;
  throw new InvalidArgumentError('It must be none, or switch:NAME with a DNS label (a-z, 0-9 and -).');
}

/** A parser for whole numbers in a range, with their unit for the message. */
export function countArgument(min: number, max: number, unit: string): (text: string) => number {
  return (text) => {
    const number = wholeNumber(text);
    if (number === undefined || number < min || number > max) {
      throw new InvalidArgumentError(
        `It must be a whole number from ${min} to ${max}${unit === '' ? '' : ` (${unit})`}.`,
      );
    }
    return number;
  };
}

const secondsOf = { s: 1, m: 60, h: 3600, d: 86_400 } as const;
const lifeSMax = 366 * 86_400;

/** `90s`, `30m`, `24h`, `7d`: in seconds. */
export function lifeArgument(text: string): number {
  const [, count = '', unit = ''] = /^(\d{1,6})([smhd])$/.exec(text) ?? [];
  const seconds = Number(count) * (secondsOf[unit as keyof typeof secondsOf] ?? 0);
  if (seconds >= 10 && seconds <= lifeSMax) return seconds;
  throw new InvalidArgumentError('It must be a time from 10s to 366d, such as 30m, 24h or 7d.');
}

function wholeNumber(text: string): number | undefined {
  return /^\d{1,9}$/.test(text) ? Number(text) : undefined;
}
