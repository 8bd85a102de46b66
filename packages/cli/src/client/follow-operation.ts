/**
 * Follows an operation to its end with one line of progress, and a migration's rounds as a table. Whoever stops following
 * does not stop the operation.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { fromProblem, OperationError, type OperationView } from '@skein/shared';
import { Interrupted } from '../failure.ts';
import { LiveRounds, roundSentence } from '../output/migration-rounds.ts';
import { StatusLine } from '../output/status-line.ts';
import type { ApiClient } from './api-client.ts';
import { isAway, unreachableMsMax } from './insistently.ts';

const pollMs = 100;

export interface AwaitOptions {
  readonly onProgress?: (operation: OperationView) => void;
  /** Well or not. */
  readonly onEnded?: (operation: OperationView) => void;
  /** Ends the waiting, not the operation. */
  readonly signal?: AbortSignal;
}

/**
 * The operation when it has succeeded.
 * @throws OperationError what made it fail, coordinator.unreachable; Interrupted when the signal ends it
 */
export async function awaitOperation(
  client: ApiClient,
  id: string,
  options: AwaitOptions = {},
): Promise<OperationView> {
  const poll = new OperationPoll(client, id);
  for (;;) {
    const operation = await poll.next();
    if (operation?.endedAtMs != null) options.onEnded?.(operation);
    if (operation?.state === 'succeeded') return operation;
    if (operation?.state === 'failed') throw problemOf(operation);
    if (operation !== null) options.onProgress?.(operation);
    await sleep(pollMs, undefined, options.signal === undefined ? {} : { signal: options.signal }).catch(
      () => {},
    );
    if (options.signal?.aborted === true) {
      throw new Interrupted(`detached; ${id} goes on: skein get operation ${id}`);
    }
  }
}

export interface FollowOptions {
  /** Each round of a migration that ends becomes a row that stays. */
  readonly showsRounds?: boolean;
}

/** For a person at a terminal: one line of progress, and Ctrl-C detaches. Errors as for `awaitOperation`. */
export async function followOperation(
  client: ApiClient,
  id: string,
  { showsRounds = false }: FollowOptions = {},
): Promise<OperationView> {
  const line = new StatusLine();
  const rounds = new LiveRounds((text) => line.say(text));
  const interrupt = new AbortController();
  const onSignal = (): void => interrupt.abort();
  process.once('SIGINT', onSignal).once('SIGTERM', onSignal);
  try {
    return await awaitOperation(client, id, {
      signal: interrupt.signal,
      onProgress: (operation) => {
        if (showsRounds) rounds.show(operation.progress?.rounds ?? []);
        line.show(`${operation.kind} ${operation.vmName}: ${phaseOf(operation)}`, figuresOf(operation));
      },
      // What ended between two looks, and the stop-and-copy, stand in the record alone.
      onEnded: ({ migration }) => {
        if (showsRounds) rounds.show(migration?.rounds ?? []);
      },
    });
  } finally {
    line.clear();
    process.off('SIGINT', onSignal).off('SIGTERM', onSignal);
  }
}

/** Asks again while the coordinator is away for a while. */
class OperationPoll {
  readonly #client: ApiClient;
  readonly #id: string;
  #lostAtMs: number | null = null;

  constructor(client: ApiClient, id: string) {
    this.#client = client;
    this.#id = id;
  }

  async next(): Promise<OperationView | null> {
    try {
      const operation = await this.#client.operation(this.#id);
      this.#lostAtMs = null;
      return operation;
    } catch (error) {
      if (!isAway(error)) throw error;
      this.#lostAtMs ??= performance.now();
      if (performance.now() - this.#lostAtMs > unreachableMsMax) throw error;
      return null;
    }
  }
}

function problemOf(operation: OperationView): OperationError {
  if (operation.problem !== null) return fromProblem(operation.problem);
  return new OperationError({
    code: 'operation.failed',
    message: `${operation.kind} of ${operation.vmName} failed and left no reason`,
  });
}

function phaseOf(operation: OperationView): string {
  if (operation.waiting !== null) return `waiting: ${operation.waiting}`;
  return operation.progress?.phase ?? operation.timeline.at(-1)?.name ?? operation.state;
}

function figuresOf({ progress }: OperationView): string {
  if (progress === null) return '';
  if (progress.currentRound !== null) return roundSentence(progress.currentRound);
  const whole = progress.pagesSent + progress.pagesRemaining;
  const percent = whole === 0 ? 0 : Math.floor((progress.pagesSent / whole) * 100);
  return `round ${progress.round}, ${percent} %, ${progress.pagesRemaining} pages remaining`;
}
