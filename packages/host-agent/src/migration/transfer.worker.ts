/**
 * Entry of a transfer worker: rehearses while it is new, then serves one migration at a time on a thread of its own. Between
 * two of them it keeps nothing but its warm code, and what the last rehearsal was made of, without which the code would not stay warm.
 */
import { setTimeout as delay, setImmediate as turn } from 'node:timers/promises';
import { parentPort } from 'node:worker_threads';
import { invariant, toProblem } from '@skein/shared';
import { collectGarbage } from '../collect-garbage.ts';
import { keepSpecimens } from '../specimens.ts';
import { rehearseTransfer } from './rehearsal.ts';
import { SourceTransfer } from './source-transfer.ts';
import { TargetTransfer } from './target-transfer.ts';
import type {
  SourceAssignment,
  TargetAssignment,
  TransferEvent,
  TransferInstruction,
  TransferRehearsal,
} from './transfer-channel.ts';
import { openTransferLeases } from './transfer-leases.ts';

/** After so many, five seconds after its start, a migration takes as long as any later one (measured). */
const rehearsals = 8;
const pauseMs = 500;

invariant(parentPort !== null, 'transfer.worker runs as a worker thread');
const port = parentPort;
let isAssigned = new AbortController();
let hasServed = false;
/** Rehearsals that came to their end. */
let rehearsed = 0;
let serving: SourceTransfer | TargetTransfer | null = null;

/** Resolves when nothing of the migration is left. */
async function serve(assignment: SourceAssignment | TargetAssignment): Promise<void> {
  isAssigned.abort();
  hasServed = true;
  let isClosed = false;
  // What one migration says late must not be taken for the next one's.
  const tell = (event: TransferEvent): void => {
    if (!isClosed) port.postMessage(event);
  };
  const leases = openTransferLeases(assignment);
  const transfer =
    assignment.role === 'source'
      ? new SourceTransfer(assignment, tell, leases)
      : new TargetTransfer(assignment, tell, leases);
  serving = transfer;
  transfer.start().catch((error: unknown) => tell({ type: 'failed', message: toProblem(error).message }));
  await transfer.closed;
  isClosed = true;
  serving = null;
}

/**
 * Once at once, and again with pauses until all of it is compiled: at once as a whole it would take the cores from an agent
 * that has just been started, and whose guests and heartbeats have a right to them. One that has served is warm: it needs the specimens alone.
 */
async function rehearse(rehearsal: TransferRehearsal): Promise<void> {
  isAssigned = new AbortController();
  const { signal } = isAssigned;
  try {
    while (rehearsed < (hasServed ? 1 : rehearsals)) {
      const { target, transfers } = await rehearseTransfer(rehearsal, signal);
      // One that was called off has not made all that there is to keep.
      if (target.outcome !== 'committed') return;
      rehearsed += 1;
      keepSpecimens(transfers);
      await delay(pauseMs, undefined, { signal });
      // By now its last connection is closed as well.
      collectGarbage();
    }
  } catch (error) {
    if (!signal.aborted) port.postMessage(toProblem(error).message);
  }
}

/**
 * Guests' memory goes with what referred to it: not in the turn in which the migration ended, whose stack still does, and what the first
 * collection finalizes is gone with a second one (measured: after one alone the memory stayed for eight seconds).
 */
async function becomeSpare(): Promise<void> {
  for (let collections = 0; collections < 2; collections++) {
    await turn();
    collectGarbage();
  }
  const spare: TransferEvent = { type: 'spare' };
  port.postMessage(spare);
}

type Message = TransferRehearsal | SourceAssignment | TargetAssignment | TransferInstruction;

port.on('message', (message: Message) => {
  if (!('role' in message)) serving?.instruct(message);
  else if (message.role !== 'rehearsal') void serve(message).then(becomeSpare);
  else void rehearse(message);
});
