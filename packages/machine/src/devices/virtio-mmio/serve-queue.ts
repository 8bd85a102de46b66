/** What a device does with a queue whose every buffer is answered at once: the random generator, disks, the balloon. */
import type { DescriptorChain } from '../virtqueue/descriptor-chain.ts';
import type { Virtqueue } from '../virtqueue/virtqueue.ts';
import type { VirtioTransport } from './virtio-device.ts';

/**
 * Hands each buffer that the driver offered to `serve`, which returns it to the queue, or says what rule the driver broke: then
 * the device does nothing more until it is reset.
 */
export function serveQueue(
  transport: VirtioTransport,
  queue: Virtqueue,
  serve: (chain: DescriptorChain) => string | undefined,
): void {
  // The guest stands still meanwhile, so no more buffers come than the queue holds.
  for (let left = queue.size; left > 0; left--) {
    const chain = queue.pop();
    if (chain.kind === 'empty') break;
    const problem = chain.kind === 'broken' ? chain.reason : serve(chain);
    if (problem !== undefined) {
      transport.fail(problem);
      return;
    }
  }
  queue.wantNotification();
  transport.notifyUsed(queue);
}
