/** One effect for an operation that is sent twice (safety: invariant 22); a failed one may be tried again. */
import type { OperationId } from '@skein/shared';

const operationsKept = 1000;

export class EffectsOnce {
  readonly #operations = new Map<OperationId, Promise<unknown>>();

  once<T>(operation: OperationId, effect: () => Promise<T>): Promise<T> {
    const known = this.#operations.get(operation);
    if (known !== undefined) return known as Promise<T>;
    const promise = effect();
    this.#operations.set(operation, promise);
    promise.catch(() => this.#operations.delete(operation));
    for (const oldest of this.#operations.keys()) {
      if (this.#operations.size <= operationsKept) break;
      this.#operations.delete(oldest);
    }
    return promise;
  }
}
