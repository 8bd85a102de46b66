/**
 * A transfer worker's line to the VM worker: posts a request, pokes the vCPU's attention word, waits for the
 * answer with a deadline.
 */
import type { MessagePort } from 'node:worker_threads';
import type { MachineMemory } from '@skein/machine';
import { OperationError } from '@skein/shared';
import type { AnsweredCommand, TransferCall, TransferCommand, TransferReply } from '../vm/vm-channel.ts';

type ReplyTo<T extends TransferReply['type']> = Extract<TransferReply, { type: T }>;

/** A slice lasts half a millisecond; a host under load may take this much longer. */
const answerDeadlineMs = 5000;

export class VmLink {
  readonly #port: MessagePort;
  readonly #memory: MachineMemory;

  constructor(port: MessagePort, memory: MachineMemory) {
    this.#port = port;
    this.#memory = memory;
  }

  /** What the VM worker says unasked. */
  onCall(hear: (call: TransferCall) => void): void {
    this.#port.on('message', (message: TransferReply | TransferCall) => {
      if (message.type === 'page-wanted' || message.type === 'page-awaited' || message.type === 'code-used')
        hear(message);
    });
  }

  /** @throws OperationError process.died, machine.failed */
  ask<T extends TransferReply['type']>(command: AnsweredCommand, expected: T): Promise<ReplyTo<T>> {
    return new Promise((resolve, reject) => {
      const finish = (): void => {
        clearTimeout(timer);
        this.#port.off('message', hear);
      };
      const timer = setTimeout(() => {
        finish();
        reject(
          new OperationError({
            code: 'process.died',
            message: `the VM worker did not answer ${command.type}`,
          }),
        );
      }, answerDeadlineMs);
      const hear = (reply: TransferReply): void => {
        // Of an earlier request whose deadline passed.
        if (reply.type !== expected && reply.type !== 'failed') return;
        finish();
        if (reply.type === 'failed')
          reject(new OperationError({ code: 'machine.failed', message: reply.message }));
        else resolve(reply as ReplyTo<T>);
      };
      this.#port.on('message', hear);
      this.tell(command);
    });
  }

  /** Without waiting for a reply. */
  tell(command: TransferCommand): void {
    this.#port.postMessage(command);
    this.#memory.poke();
  }

  close(): void {
    this.#port.close();
  }
}
