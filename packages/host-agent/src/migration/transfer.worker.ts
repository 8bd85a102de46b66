/**
 * Entry of a transfer worker: rehearses while it is spare, then takes one assignment, serves that migration on a thread of
 * its own, and ends.
 */
import { parentPort } from 'node:worker_threads';
import { invariant, toProblem } from '@skein/shared';
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

invariant(parentPort !== null, 'transfer.worker runs as a worker thread');
const port = parentPort;
const tell = (event: TransferEvent): void => port.postMessage(event);
const isAssigned = new AbortController();

function begin(assignment: SourceAssignment | TargetAssignment): void {
  isAssigned.abort();
  const leases = openTransferLeases(assignment);
  const transfer =
    assignment.role === 'source'
      ? new SourceTransfer(assignment, tell, leases)
      : new TargetTransfer(assignment, tell, leases);
  port.on('message', (instruction: TransferInstruction) => transfer.instruct(instruction));
  transfer.start().catch((error: unknown) => tell({ type: 'failed', message: toProblem(error).message }));
}

const hear = (message: TransferRehearsal | SourceAssignment | TargetAssignment): void => {
  if (message.role === 'rehearsal') {
    rehearseTransfer(message, isAssigned.signal).catch((error: unknown) =>
      port.postMessage(toProblem(error).message),
    );
    return;
  }
  port.off('message', hear);
  begin(message);
};
port.on('message', hear);
