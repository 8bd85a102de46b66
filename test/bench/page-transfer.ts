/**
 * Both ends of a transfer of pages as a migration does it: the real sender and receiver over a real migration link,
 * the target dials. Omitted: what comes before and after the pages of one round.
 */
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { PageReceiver, PageSender } from '@skein/host-agent';
import { createMachineMemory, MachineMemory } from '@skein/machine';
import { migrationProtocol, OperationError } from '@skein/shared';
import { type Authentication, dial, type Link, type Listener, listen } from '@skein/transport';
import { cpuSecondsSince, loopback, type SentReply, type TransferAssignment } from './transfer-channel.ts';

const own = (name: string) => ({ role: 'transfer', name, bootId: randomBytes(16).toString('hex') });
const authenticationOf = ({ kind, role, credentialsFolder }: TransferAssignment): Authentication =>
  kind === 'pages' ? { kind: 'certificate', directory: join(credentialsFolder, role) } : { kind: 'none' };
const helloDeadlineMs = 3000;

/** What a migration asks and a single round does not. */
function notHere(): never {
  throw new OperationError({ code: 'internal', message: 'this link carries pages only' });
}

export class PageSource {
  readonly #memory: MachineMemory;
  readonly #listener: Listener<typeof migrationProtocol>;
  readonly #connected: Promise<{ link: Link<typeof migrationProtocol, 'listener'>; sender: PageSender }>;

  private constructor(
    memory: MachineMemory,
    listener: Listener<typeof migrationProtocol>,
    connected: Promise<{ link: Link<typeof migrationProtocol, 'listener'>; sender: PageSender }>,
  ) {
    this.#memory = memory;
    this.#listener = listener;
    this.#connected = connected;
  }

  static async listen(assignment: TransferAssignment): Promise<PageSource> {
    const { core, memory, memoryMib } = assignment;
    if (memory === null) throw new Error('a source has RAM');
    const view = new MachineMemory(core, memory, memoryMib);
    const connected = Promise.withResolvers<{
      link: Link<typeof migrationProtocol, 'listener'>;
      sender: PageSender;
    }>();
    let sender: PageSender | null = null;
    const listener = await listen({
      host: loopback,
      port: 0,
      protocol: migrationProtocol,
      own: own('source'),
      authentication: authenticationOf(assignment),
      handlers: {
        requests: {
          'migration.hello': notHere,
          'migration.clock': () => ({ nowNs: process.hrtime.bigint() }),
          'migration.begin': notHere,
          'migration.resumed': notHere,
        },
        notices: {
          'migration.refused': notHere,
          'pages.wanted': () => {},
          'pages.applied': ({ bytes }) => void sender?.acknowledged(bytes),
        },
      },
      onLink: (link) => {
        sender = new PageSender(core, view, link);
        connected.resolve({ link, sender });
      },
    });
    return new PageSource(view, listener, connected.promise);
  }

  get port(): number {
    return this.#listener.port;
  }

  /** All pages once, until the target has applied the last one. */
  async send(): Promise<Omit<SentReply, 'heartbeatsMs'>> {
    const { link, sender } = await this.#connected;
    const bytesBefore = link.bytesWritten;
    const allPages = new Uint32Array(this.#memory.pages / 32).fill(0xffff_ffff);
    const cpuBefore = process.cpuUsage();
    const startedAt = performance.now();
    const { zeroPages } = await sender.send(allPages, 1);
    await sender.drained();
    const durationMs = performance.now() - startedAt;
    if (zeroPages > 0) throw new Error(`${zeroPages} pages of random bytes are zero`);
    return {
      type: 'sent',
      durationMs,
      wireBytes: link.bytesWritten - bytesBefore,
      memoryHash: sender.hashes.sum.toString(16),
      cpuSeconds: cpuSecondsSince(cpuBefore),
    };
  }

  close(): Promise<void> {
    return this.#listener.close();
  }
}

export class PageTarget {
  readonly #link: Link<typeof migrationProtocol, 'dialer'>;
  readonly #receiver: PageReceiver;
  #refusal: string | null = null;

  private constructor(link: Link<typeof migrationProtocol, 'dialer'>, receiver: PageReceiver) {
    this.#link = link;
    this.#receiver = receiver;
    // As TargetTransfer does it: each quarter of the window, and when nothing more comes.
    const acknowledge = (bytes: number): void => {
      if (bytes > 0) link.notify('pages.applied', { bytes });
    };
    const rest = setTimeout(() => acknowledge(receiver.flush()), 0);
    link.onBulk = (frame) => {
      const applied = receiver.apply(frame);
      if (applied.kind === 'refused') {
        this.#refusal = applied.reason;
        link.close(applied.reason);
      } else if (applied.acknowledgeBytes > 0) {
        acknowledge(applied.acknowledgeBytes);
      } else {
        rest.refresh();
      }
    };
  }

  static async dial(assignment: TransferAssignment): Promise<PageTarget> {
    const { core, memoryMib, port } = assignment;
    const memory = createMachineMemory(core, memoryMib);
    const receiver = new PageReceiver(core, new MachineMemory(core, memory, memoryMib));
    const link = await dial({
      host: loopback,
      port,
      protocol: migrationProtocol,
      own: own('target'),
      authentication: authenticationOf(assignment),
      bulkBuffer: receiver.socketBuffer,
      handlers: {
        requests: { 'migration.final': notHere, 'migration.history': notHere },
        notices: {
          'migration.code': notHere,
          'pages.coming': () => {},
          'migration.state': notHere,
          'migration.granted': notHere,
          'migration.aborted': notHere,
        },
      },
    });
    const target = new PageTarget(link, receiver);
    await link.request('migration.clock', {}, { deadlineMs: helloDeadlineMs });
    return target;
  }

  /** Sum of the hashes of what stands in RAM. */
  conclude(): string {
    if (this.#refusal !== null) throw new Error(`the target refused: ${this.#refusal}`);
    this.#link.close();
    return this.#receiver.hashes.sum.toString(16);
  }
}
