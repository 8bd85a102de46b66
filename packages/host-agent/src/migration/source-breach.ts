/**
 * A source says or sends what it may not: nothing of it is acted on, and it is hung up on. Before `ready` that is the end of the
 * migration; afterwards what became of the lease decides.
 */
import {
  type ErrorCode,
  type migrationProtocol,
  OperationError,
  refusalReasonLengthMax,
} from '@skein/shared';
import type { Link } from '@skein/transport';
import type { TargetEvent } from '../core/migration-target.ts';

export interface SourceBreachOptions {
  readonly link: () => Link<typeof migrationProtocol, 'dialer'> | null;
  readonly feed: (event: TargetEvent, code: ErrorCode) => void;
}

export class SourceBreach {
  readonly #options: SourceBreachOptions;

  constructor(options: SourceBreachOptions) {
    this.#options = options;
  }

  byNotice(code: ErrorCode, reason: string): void {
    this.#tell(code, reason);
    this.#options.link()?.close(reason);
  }

  /** It is answered with what is returned, for the caller to throw, and then hung up on. */
  byRequest(code: ErrorCode, reason: string): OperationError {
    this.#tell(code, reason);
    setImmediate(() => this.#options.link()?.close(reason));
    return new OperationError({ code, message: reason });
  }

  #tell(code: ErrorCode, reason: string): void {
    const told = { code, reason: reason.slice(0, refusalReasonLengthMax) };
    this.#options.link()?.notify('migration.refused', told);
    this.#options.feed({ type: 'link-lost', reason }, code);
  }
}
