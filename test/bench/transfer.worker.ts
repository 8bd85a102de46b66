/** One end of one transfer on a thread of its own, as in an agent. Its assignment comes as worker data. */
import { parentPort, workerData } from 'node:worker_threads';
import { PageSource, PageTarget } from './page-transfer.ts';
import { RawSource, RawTarget } from './raw-tcp-transfer.ts';
import { cpuSecondsSince, type TransferAssignment, type WorkerReply } from './transfer-channel.ts';

if (parentPort === null) throw new Error('transfer.worker runs as a worker thread');
const port = parentPort;
const tell = (reply: WorkerReply): void => port.postMessage(reply);
const assignment = workerData as TransferAssignment;
const isPages = assignment.kind !== 'raw-tcp';

if (assignment.role === 'source') {
  const source = await (isPages ? PageSource : RawSource).listen(assignment);
  port.once('message', async () => {
    tell(await source.send());
    await source.close();
  });
  tell({ type: 'listening', port: source.port });
} else {
  const target = await (isPages ? PageTarget : RawTarget).dial(assignment);
  const cpuBefore = process.cpuUsage();
  port.once('message', () => {
    const cpuSeconds = cpuSecondsSince(cpuBefore);
    tell({ type: 'received', memoryHash: target.conclude(), cpuSeconds });
  });
  tell({ type: 'ready' });
}
