/**
 * A virtio balloon: takes pages that the guest gives up, as many as it is asked for (inflate, deflate), and hears of
 * those that are free anyway (free page reporting). Both are filled with zeros at once, on the vCPU's thread: what the
 * guest finds there later then follows from the run, at a replay and on another host as well, and snapshots and
 * migrations have nothing to carry (GuestMemory.release). The host's own memory stays taken: a WebAssembly.Memory can't
 * give single pages back (madvise has no counterpart there; the memory-control proposal's `memory.discard` is in no
 * engine).
 * Omitted: statistics, free page hints, poisoning. A guest that poisons its free pages then reports none.
 * Source: virtio 1.2, "Traditional Memory Balloon Device".
 */
import type { GuestMemory, MemoryRange } from '../device.ts';
import type { StateReader } from '../state-reader.ts';
import { serveQueue } from '../virtio-mmio/serve-queue.ts';
import type { VirtioDevice, VirtioTransport } from '../virtio-mmio/virtio-device.ts';
import { type DescriptorChain, gather } from '../virtqueue/descriptor-chain.ts';
import type { Virtqueue } from '../virtqueue/virtqueue.ts';

/** What it is asked for is a wish: a guest that runs out of memory takes pages back rather than die. */
export const FEATURE_DEFLATE_ON_OOM = 1n << 2n;
export const FEATURE_REPORTING = 1n << 5n;

export const INFLATE_QUEUE = 0;
export const DEFLATE_QUEUE = 1;
/**
 * The reporting queue is the fifth, whether or not those before it (statistics, free page hints) are in use: "Virtqueues".
 * Linux before 6.11, and QEMU, count only queues in use: theirs is the third. No queue here has two meanings, so
 * whatever comes on those behind the second is a report.
 */
export const REPORTING_QUEUE = 4;

const DEVICE_ID_BALLOON = 5;
/** Linux reports up to 32 ranges at a time and wants as many descriptors (PAGE_REPORTING_CAPACITY). */
const QUEUE_SIZE_MAX = 64;
/** VIRTIO_BALLOON_PFN_SHIFT: the device's pages have 4 KiB, whatever the guest's are. */
const BALLOON_PAGE_BYTES = 4096;
const PAGE_NUMBER_BYTES = 4;
/** num_pages, actual: 32 bits each. */
const CONFIG_BYTES = 8;
const CONFIG_ACTUAL_OFFSET = 4;

export interface VirtioBalloonMetrics {
  inflatedPages: number;
  deflatedPages: number;
  reportedBytes: number;
}

export class VirtioBalloon implements VirtioDevice {
  readonly kind = 'balloon';
  readonly deviceId = DEVICE_ID_BALLOON;
  readonly features = FEATURE_DEFLATE_ON_OOM | FEATURE_REPORTING;
  readonly queueSizesMax = [
    QUEUE_SIZE_MAX,
    QUEUE_SIZE_MAX,
    QUEUE_SIZE_MAX,
    QUEUE_SIZE_MAX,
    QUEUE_SIZE_MAX,
  ] as const;
  readonly metrics: VirtioBalloonMetrics = { inflatedPages: 0, deflatedPages: 0, reportedBytes: 0 };

  readonly #transport: VirtioTransport;
  #targetPages = 0;
  /** What the driver says it gave up. */
  readonly #actual = new Uint8Array(PAGE_NUMBER_BYTES);
  /** What one kick may still ask for: nobody gives up more pages than there are. */
  #pagesLeft = 0;

  constructor(transport: VirtioTransport) {
    this.#transport = transport;
  }

  /** Pages of 4 KiB that the guest says it has given up. */
  get actualPages(): number {
    return new DataView(this.#actual.buffer).getUint32(0, true);
  }

  /** Asks the guest to give up so many pages of 4 KiB in all; more than it has is as many as it has. */
  setTarget(pages: number): void {
    const target = Math.min(Math.max(0, Math.floor(pages)), ramPages(this.#transport.memory));
    if (target === this.#targetPages) return;
    this.#targetPages = target;
    this.#transport.notifyConfigChange();
  }

  config(): Uint8Array {
    const bytes = new Uint8Array(CONFIG_BYTES);
    new DataView(bytes.buffer).setUint32(0, this.#targetPages, true);
    bytes.set(this.#actual, CONFIG_ACTUAL_OFFSET);
    return bytes;
  }

  writeConfig(offset: number, bytes: Uint8Array): void {
    for (const [index, byte] of bytes.entries()) {
      const at = offset + index - CONFIG_ACTUAL_OFFSET;
      if (at >= 0 && at < PAGE_NUMBER_BYTES) this.#actual[at] = byte;
    }
  }

  activate(): void {
    for (const index of this.queueSizesMax.keys()) this.#transport.queue(index)?.wantNotification();
  }

  kick(index: number): void {
    const queue = this.#transport.queue(index);
    if (queue === undefined) return;
    this.#pagesLeft = ramPages(this.#transport.memory);
    serveQueue(this.#transport, queue, (chain) => this.#take(index, queue, chain));
  }

  /** What the guest is asked for is not the driver's to forget. */
  reset(): void {
    this.#actual.fill(0);
  }

  save() {
    return { targetPages: this.#targetPages, actualPages: this.actualPages };
  }

  readState(reader: StateReader): { apply(): void } {
    const targetPages = reader.integer('targetPages', 0, ramPages(this.#transport.memory));
    const actualPages = reader.integer('actualPages', 0, 0xffff_ffff);
    reader.finish();
    return {
      apply: () => {
        this.#targetPages = targetPages;
        new DataView(this.#actual.buffer).setUint32(0, actualPages, true);
      },
    };
  }

  /** Says what is wrong if the driver broke the rules. */
  #take(index: number, queue: Virtqueue, chain: DescriptorChain): string | undefined {
    const isReport = index !== INFLATE_QUEUE && index !== DEFLATE_QUEUE;
    const problem = isReport ? this.#report(chain) : this.#move(chain, index === INFLATE_QUEUE);
    if (problem === undefined) queue.push(chain.head, 0);
    return problem;
  }

  /** The buffers themselves are what is free. */
  #report(chain: DescriptorChain): string | undefined {
    if (chain.readableBytes > 0) return 'a report of free pages that is for the device to read';
    for (const { lengthBytes } of chain.writable) {
      if (!this.#mayTake(Math.ceil(lengthBytes / BALLOON_PAGE_BYTES))) return TOO_MANY;
      this.metrics.reportedBytes += lengthBytes;
    }
    this.#transport.memory.release(chain.writable);
    return undefined;
  }

  /** A buffer of page numbers, 32 bits each. A page that comes back holds zeros: nothing is to be done for it. */
  #move(chain: DescriptorChain, isInflate: boolean): string | undefined {
    if (chain.writableBytes > 0 || chain.readableBytes % PAGE_NUMBER_BYTES !== 0) {
      return 'a list of pages that is none';
    }
    const count = chain.readableBytes / PAGE_NUMBER_BYTES;
    if (!this.#mayTake(count)) return TOO_MANY;
    const { memory } = this.#transport;
    const list = new Uint8Array(chain.readableBytes);
    gather(memory, chain.readable, list);
    const view = new DataView(list.buffer);
    const pages: MemoryRange[] = [];
    for (let at = 0; at < list.length; at += PAGE_NUMBER_BYTES) {
      const address = view.getUint32(at, true) * BALLOON_PAGE_BYTES;
      if (!memory.contains(address, BALLOON_PAGE_BYTES)) return 'a page outside RAM';
      pages.push({ address, lengthBytes: BALLOON_PAGE_BYTES });
    }
    if (isInflate) memory.release(pages);
    if (isInflate) this.metrics.inflatedPages += count;
    else this.metrics.deflatedPages += count;
    return undefined;
  }

  #mayTake(pages: number): boolean {
    this.#pagesLeft -= pages;
    return this.#pagesLeft >= 0;
  }
}

const TOO_MANY = 'more pages at a time than there are';

function ramPages(memory: GuestMemory): number {
  return memory.sizeBytes / BALLOON_PAGE_BYTES;
}
