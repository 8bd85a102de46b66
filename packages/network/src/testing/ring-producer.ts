/** Worker of frame-ring.test.ts: pushes numbered frames of varying length and spins while the ring is full. */
import { parentPort, workerData } from 'node:worker_threads';
import { FrameRing, type FrameRingHandle } from '../frame-ring.ts';

export interface ProducerTask {
  readonly handle: FrameRingHandle;
  readonly frames: number;
}

/** Frame `index`: its number, then bytes that follow from it; lengths cross the ring's end at every alignment. */
export function numberedFrame(index: number): Uint8Array {
  const frame = new Uint8Array(4 + ((index * 37) % 1500)).fill(index & 0xff);
  new DataView(frame.buffer).setUint32(0, index);
  return frame;
}

if (parentPort !== null) {
  const { handle, frames } = workerData as ProducerTask;
  const ring = FrameRing.attach(handle);
  let refused = 0;
  for (let index = 0; index < frames; ) {
    if (ring.push(numberedFrame(index))) index += 1;
    else refused += 1;
  }
  parentPort.postMessage({ refused });
}
