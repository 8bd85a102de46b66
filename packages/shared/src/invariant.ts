/** Thrown when the program contradicts itself: a programmer's mistake, never a user's. */
export class InvariantError extends Error {
  override readonly name = 'InvariantError';
}

/** Always on, in production too: a wrong state must stop before it spreads. `sentence` states what holds. */
export function invariant(condition: unknown, sentence: string): asserts condition {
  if (!condition) throw new InvariantError(`invariant does not hold: ${sentence}`);
}

/** For the `default` of a switch over a closed union: compiles only when every case is handled. */
export function unreachable(value: never, what: string): never {
  throw new InvariantError(`unknown ${what}: ${JSON.stringify(value)}`);
}
