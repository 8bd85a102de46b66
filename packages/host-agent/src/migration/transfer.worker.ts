/** Entry of a transfer worker: takes one assignment, serves that migration on a thread of its own, and ends. */
import { parentPort } from 'node:worker_threads';
import { invariant, toProblem } from '@skein/shared';
import { SourceTransfer } from './source-transfer.ts';
import { TargetTransfer } from './target-transfer.ts';
import type {
  SourceAssignment,
  TargetAssignment,
  TransferEvent,
  TransferInstruction,
} from './transfer-channel.ts';

invariant(parentPort !== null, 'transfer.worker runs as a worker thread');
const port = parentPort;
const tell = (event: TransferEvent): void => port.postMessage(event);

port.once('message', (assignment: SourceAssignment | TargetAssignment) => {
  const transfer =
    assignment.role === 'source'
      ? new SourceTransfer(assignment, tell)
      : new TargetTransfer(assignment, tell);
  port.on('message', (instruction: TransferInstruction) => transfer.instruct(instruction));
  transfer.start().catch((error: unknown) => tell({ type: 'failed', message: toProblem(error).message }));
});
