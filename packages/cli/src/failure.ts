/**
 * What a failed command says and with which code it exits (design: interfaces, exit codes). The errors of machine and
 * guests, which import nothing of ours, become ours here.
 */
import { GuestImageError, type GuestImageErrorCode } from '@skein/guests';
import { MachineError } from '@skein/machine';
import { type ErrorCode, type ErrorKind, exitCodes, OperationError } from '@skein/shared';
import { CommanderError } from 'commander';

export const exitCodeInterrupted = 130;

/** A person ended it: nothing failed. The message says what goes on without them. */
export class Interrupted extends Error {
  override readonly name = 'Interrupted';
}

/** A usage error that commander cannot see. */
export function usageError(message: string): OperationError {
  return new OperationError({ code: 'request.invalid', message });
}

export interface Failure {
  readonly exitCode: number;
  readonly code: string;
  readonly message: string;
  readonly details: Readonly<Record<string, unknown>>;
}

const kindOfImageError: Readonly<Record<GuestImageErrorCode, ErrorKind>> = {
  'image.not-found': 'not-found',
  'image.unavailable': 'failed',
  'image.corrupt': 'failed',
  'image.toolchain-missing': 'failed',
  'image.build-failed': 'failed',
  'image.invalid': 'usage',
};

const usageOfMachine = new Set(['machine.memory-size', 'machine.image-format', 'machine.image-too-large']);

export function failureOf(error: unknown): Failure {
  if (error instanceof OperationError) {
    return {
      exitCode: exitCodes[error.kind],
      code: error.code,
      message: error.message,
      details: error.details,
    };
  }
  if (error instanceof GuestImageError) {
    return {
      exitCode: exitCodes[kindOfImageError[error.code]],
      code: error.code,
      message: error.message,
      details: {},
    };
  }
  if (error instanceof MachineError) {
    const kind = usageOfMachine.has(error.code) ? 'usage' : 'failed';
    return { exitCode: exitCodes[kind], code: error.code, message: error.message, details: {} };
  }
  if (error instanceof Interrupted) {
    return { exitCode: exitCodeInterrupted, code: 'interrupted', message: error.message, details: {} };
  }
  if (error instanceof CommanderError) {
    const message = error.message.replace(/^error: /, '');
    return { exitCode: exitCodes.usage, code: 'request.invalid', message, details: {} };
  }
  return { exitCode: 1, code: 'internal', message: explainInternal(error), details: {} };
}

/** A mistake of ours: the place where it happened helps whoever reports it. */
function explainInternal(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const place = error.stack?.split('\n').find((line) => /^\s+at /.test(line));
  return `${error.message} (a mistake in skein itself${place === undefined ? '' : `,${place.trimEnd()}`.replace(/\s+/g, ' ')})`;
}

/** Problem details (RFC 9457) with our stable code, for `--output json`. */
export function problemDetails(failure: Failure): Readonly<Record<string, unknown>> {
  return {
    type: `urn:skein:error:${failure.code}`,
    title: failure.code,
    detail: failure.message,
    code: failure.code,
    message: failure.message,
    exitCode: failure.exitCode,
    details: failure.details,
  };
}

/** @throws OperationError */
export function fail(code: ErrorCode, message: string, cause?: unknown): never {
  throw new OperationError(cause === undefined ? { code, message } : { code, message, cause });
}
