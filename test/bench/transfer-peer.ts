/**
 * A process of the transfer bench, in place of a host agent: heartbeats on the main thread, each transfer in a worker.
 * Commands come from the bench by the channel that fork made; when that ends, so does this.
 */
import { randomFillSync } from 'node:crypto';
import { Worker } from 'node:worker_threads';
import { transferWorkerLimits } from '@skein/host-agent';
import { type CoreModules, createMachineMemory, loadCore, MachineMemory } from '@skein/machine';
import { Heartbeats, serveHeartbeats } from './heartbeats.ts';
import type { PeerCommand, PeerReply, TransferAssignment, WorkerReply } from './transfer-channel.ts';

const fillBytes = 1 << 20;
/** The worker's bundle. */
const [workerUrl = '', credentialsFolder = ''] = process.argv.slice(2);

class Peer {
  readonly #core: CoreModules;
  #heartbeats: Heartbeats | null = null;
  #memory: WebAssembly.Memory | null = null;
  #worker: Worker | null = null;

  constructor(core: CoreModules) {
    this.#core = core;
  }

  async carryOut(command: PeerCommand): Promise<PeerReply> {
    switch (command.type) {
      case 'serve-heartbeats':
        return { type: 'listening', port: await serveHeartbeats() };
      case 'dial-heartbeats':
        this.#heartbeats = await Heartbeats.dial(command.port);
        return { type: 'ready' };
      case 'fill-memory':
        this.#memory = this.#randomMemory(command.memoryMib);
        return { type: 'ready' };
      case 'serve-transfer':
        return await this.#start({ role: 'source', ...command, memory: this.#memory, port: 0 });
      case 'dial-transfer':
        return await this.#start({ role: 'target', ...command, memory: null });
      case 'send':
        return await this.#send();
      case 'conclude':
        return await this.#conclude();
    }
  }

  async #send(): Promise<PeerReply> {
    this.#heartbeats?.start();
    const reply = await this.#ask();
    const heartbeatsMs = (await this.#heartbeats?.stop()) ?? [];
    return reply.type === 'sent' ? { ...reply, heartbeatsMs } : reply;
  }

  /** The worker's end gives its memory back: each transfer has fresh RAM, and no more than one at a time. */
  async #conclude(): Promise<PeerReply> {
    const reply = await this.#ask();
    await this.#worker?.terminate();
    return reply as PeerReply;
  }

  #start(assignment: Omit<TransferAssignment, 'core' | 'credentialsFolder'>): Promise<PeerReply> {
    const { role, kind, memory, memoryMib, port } = assignment;
    this.#worker = new Worker(new URL(workerUrl), {
      resourceLimits: transferWorkerLimits,
      workerData: {
        role,
        kind,
        memory,
        memoryMib,
        port,
        credentialsFolder,
        core: this.#core,
      } satisfies TransferAssignment,
    });
    return this.#answer(this.#worker) as Promise<PeerReply>;
  }

  #ask(): Promise<WorkerReply> {
    const worker = this.#worker;
    if (worker === null) throw new Error('no transfer was prepared');
    const answer = this.#answer(worker);
    worker.postMessage('go');
    return answer;
  }

  #answer(worker: Worker): Promise<WorkerReply> {
    return new Promise((resolve, reject) => {
      worker.once('message', (reply: WorkerReply) => {
        worker.off('error', reject);
        resolve(reply);
      });
      worker.once('error', reject);
    });
  }

  /** Incompressible, and no page like another. */
  #randomMemory(memoryMib: number): WebAssembly.Memory {
    const memory = createMachineMemory(this.#core, memoryMib);
    const { ram } = new MachineMemory(this.#core, memory, memoryMib);
    const chunk = new Uint8Array(fillBytes);
    for (let offset = 0; offset < ram.length; offset += fillBytes) ram.set(randomFillSync(chunk), offset);
    return memory;
  }
}

const peer = new Peer(await loadCore());
process.on('disconnect', () => process.exit(0));
process.on('message', async (command: PeerCommand) => {
  // What fails ends this process with its reason; the bench hears that.
  process.send?.(await peer.carryOut(command));
});
process.send?.({ type: 'ready' } satisfies PeerReply);
