/**
 * Operational failures: what can go wrong although no program is wrong. Each code is stable, stands once in
 * this table, and has a heading in docs/errors.md. A policy's refusal is a value, not one of these.
 */
import { z } from 'zod';

/** What a failure means to a caller; decides the exit code (design: interfaces, exit codes) and the HTTP status. */
export type ErrorKind = 'failed' | 'usage' | 'not-found' | 'refused' | 'timeout' | 'unreachable';

export const errorKinds = {
  // usage: what was asked cannot be right
  'config.invalid': 'usage',
  'config.unreadable': 'usage',
  'request.invalid': 'usage',
  'request.forbidden': 'refused',
  'name.taken': 'refused',
  'name.ambiguous': 'usage',
  'node.too-old': 'usage',
  'operation.wrong-kind': 'usage',
  'ledger.invalid': 'usage',
  // things that are not there
  'vm.not-found': 'not-found',
  'host.not-found': 'not-found',
  'operation.not-found': 'not-found',
  'image.not-found': 'not-found',
  'migration.no-record': 'not-found',
  // refusals
  'vm.wrong-state': 'refused',
  'vm.busy': 'refused',
  'vm.address-taken': 'refused',
  'host.wrong-state': 'refused',
  'host.out-of-memory': 'refused',
  'host.in-maintenance': 'refused',
  'placement.no-host': 'refused',
  'operation.not-cancellable': 'refused',
  'migration.same-host': 'refused',
  'migration.no-network': 'refused',
  'migration.partitioned': 'refused',
  'migration.machine-version': 'refused',
  'observation.nothing-heard': 'refused',
  'cluster.running': 'refused',
  'cluster.not-running': 'not-found',
  'epoch.stale': 'refused',
  // leases
  'lease.held': 'refused',
  'lease.not-found': 'not-found',
  'lease.stale-epoch': 'refused',
  'lease.not-owner': 'refused',
  'lease.recovering': 'refused',
  'lease.lost': 'failed',
  'lease.store-corrupt': 'failed',
  'lease.store-failed': 'failed',
  'lease.store-in-use': 'failed',
  'lease.too-many': 'refused',
  // joining a cluster
  'join.token-invalid': 'usage',
  'join.refused': 'refused',
  'token.not-found': 'not-found',
  // transport
  'link.closed': 'unreachable',
  'link.refused': 'unreachable',
  'link.timeout': 'timeout',
  'link.overflow': 'failed',
  'link.unauthenticated': 'refused',
  'link.protocol-version': 'refused',
  'link.bad-message': 'failed',
  'link.too-large': 'failed',
  'address.in-use': 'failed',
  'address.unavailable': 'failed',
  // migration
  'migration.hash-mismatch': 'failed',
  'migration.page-mismatch': 'failed',
  'migration.pages-invalid': 'failed',
  'migration.state-invalid': 'failed',
  'migration.acknowledgement-invalid': 'failed',
  'migration.out-of-turn': 'failed',
  'migration.aborted': 'failed',
  'migration.not-converging': 'failed',
  'migration.memory-lost': 'failed',
  'migration.outcome-unknown': 'failed',
  // where a cluster runs
  'bed.unavailable': 'failed',
  'bed.unsupported': 'refused',
  // guests and machines
  'image.build-failed': 'failed',
  'image.corrupt': 'failed',
  'image.invalid': 'usage',
  'image.toolchain-missing': 'failed',
  'image.unavailable': 'failed',
  'machine.failed': 'failed',
  'process.died': 'failed',
  'operation.failed': 'failed',
  'output.unwritable': 'failed',
  'operation.cancelled': 'failed',
  timeout: 'timeout',
  'coordinator.unreachable': 'unreachable',
  'store.corrupt': 'failed',
  internal: 'failed',
} as const satisfies Record<string, ErrorKind>;

export type ErrorCode = keyof typeof errorKinds;

export const ErrorCodeSchema = z.enum(Object.keys(errorKinds) as [ErrorCode, ...ErrorCode[]]);

export interface OperationErrorInit {
  readonly code: ErrorCode;
  /** Names the thing, the reason, and what to do; one or two sentences for a person. */
  readonly message: string;
  readonly cause?: unknown;
  /** Figures and names for programs; never a secret. */
  readonly details?: Readonly<Record<string, unknown>>;
}

export class OperationError extends Error {
  override readonly name = 'OperationError';
  readonly code: ErrorCode;
  readonly details: Readonly<Record<string, unknown>>;

  constructor(init: OperationErrorInit) {
    super(init.message, init.cause === undefined ? undefined : { cause: init.cause });
    this.code = init.code;
    this.details = init.details ?? {};
  }

  get kind(): ErrorKind {
    return errorKinds[this.code];
  }
}

/** How an error crosses a socket or the API: problem details (RFC 9457) with the stable code. */
export interface Problem {
  readonly code: ErrorCode;
  readonly message: string;
  readonly details: Readonly<Record<string, unknown>>;
}

export function toProblem(error: unknown): Problem {
  if (error instanceof OperationError) {
    return { code: error.code, message: error.message, details: error.details };
  }
  return { code: 'internal', message: error instanceof Error ? error.message : String(error), details: {} };
}

export function fromProblem(problem: Problem): OperationError {
  return new OperationError(problem);
}

/** Exit codes of `skein` by kind of failure. */
export const exitCodes: Readonly<Record<ErrorKind, number>> = {
  failed: 1,
  usage: 2,
  'not-found': 3,
  refused: 4,
  timeout: 5,
  unreachable: 6,
};
