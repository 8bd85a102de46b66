/** How a VM's thread answers its transfer worker: with a reply, or with why there is none. */
import type { MessagePort } from 'node:worker_threads';
import type { TransferReply } from './vm-channel.ts';

/** What fails is answered as well: who asked need not wait for a deadline. */
export function answerTo(port: MessagePort, answer: () => TransferReply): void {
  try {
    port.postMessage(answer());
  } catch (error) {
    refuse(port, error instanceof Error ? error.message : String(error));
  }
}

export function refuse(port: MessagePort, message: string): void {
  port.postMessage({ type: 'failed', message } satisfies TransferReply);
}
