/**
 * Walks one descriptor chain of a split virtqueue, indirect tables included. A driver owns this memory and may be
 * hostile: each walk is bounded by count, and nothing is returned unless every span lies in RAM.
 * Source: virtio 1.2, "The Virtqueue Descriptor Table" and "Indirect Descriptors".
 */
import type { GuestMemory } from '../device.ts';

export interface MemorySpan {
  readonly address: number;
  readonly lengthBytes: number;
}

/** One buffer that the driver offered; `head` returns it. */
export interface DescriptorChain {
  readonly kind: 'chain';
  readonly head: number;
  /** For the device to read, then for it to write: a chain holds them in this order. */
  readonly readable: readonly MemorySpan[];
  readonly writable: readonly MemorySpan[];
  readonly readableBytes: number;
  readonly writableBytes: number;
}

/** The driver broke the rules; the device must be reset. */
export interface BrokenQueue {
  readonly kind: 'broken';
  readonly reason: string;
}

export interface DescriptorTable {
  readonly address: number;
  /** The queue's size: also the longest chain, descriptors of an indirect table included. */
  readonly entries: number;
  readonly indirectAllowed: boolean;
}

export const DESCRIPTOR_BYTES = 16;
const FLAG_NEXT = 1;
const FLAG_WRITE = 2;
const FLAG_INDIRECT = 4;
const KNOWN_FLAGS = FLAG_NEXT | FLAG_WRITE | FLAG_INDIRECT;
/** Virtio 1.2, "The Virtqueue Descriptor Table": a chain holds no more than 2^32 bytes in total. */
const CHAIN_BYTES_MAX = 2 ** 32;

export function walkChain(
  memory: GuestMemory,
  table: DescriptorTable,
  head: number,
): DescriptorChain | BrokenQueue {
  const readable: MemorySpan[] = [];
  const writable: MemorySpan[] = [];
  let readableBytes = 0;
  let writableBytes = 0;
  let { address: base, entries } = table;
  let index = head;
  let isIndirect = false;

  for (let left = table.entries; ; left--) {
    if (left === 0) return broken('a descriptor chain is longer than its queue, or loops');
    if (index >= entries) return broken(`descriptor ${index} is outside a table of ${entries}`);
    const at = base + index * DESCRIPTOR_BYTES;
    const span = { address: memory.read64(at), lengthBytes: memory.read32(at + 8) };
    const flags = memory.read16(at + 12);
    // Reserved bits are ignored, as drivers may not set them and devices may not look.
    const kind = flags & KNOWN_FLAGS;
    if ((kind & FLAG_INDIRECT) !== 0) {
      const problem = indirectProblem(memory, table, kind, span, isIndirect);
      if (problem !== undefined) return broken(problem);
      base = span.address;
      entries = span.lengthBytes / DESCRIPTOR_BYTES;
      // The one that points to the table is not part of the chain.
      left++;
      index = 0;
      isIndirect = true;
      continue;
    }
    if (span.lengthBytes === 0) return broken('a descriptor of zero length');
    if (!memory.contains(span.address, span.lengthBytes)) return broken('a buffer outside RAM');
    if ((kind & FLAG_WRITE) !== 0) {
      writable.push(span);
      writableBytes += span.lengthBytes;
    } else {
      if (writable.length > 0) return broken('a readable descriptor after a writable one');
      readable.push(span);
      readableBytes += span.lengthBytes;
    }
    if (readableBytes + writableBytes > CHAIN_BYTES_MAX) return broken('a chain of more than 4 GiB');
    if ((kind & FLAG_NEXT) === 0) break;
    index = memory.read16(at + 14);
  }
  return { kind: 'chain', head, readable, writable, readableBytes, writableBytes };
}

function indirectProblem(
  memory: GuestMemory,
  table: DescriptorTable,
  kind: number,
  span: MemorySpan,
  isIndirect: boolean,
): string | undefined {
  if (!table.indirectAllowed) return 'an indirect descriptor that was not negotiated';
  if (isIndirect) return 'an indirect descriptor inside an indirect table';
  if ((kind & FLAG_NEXT) !== 0) return 'an indirect descriptor with a successor';
  if (span.lengthBytes === 0 || span.lengthBytes % DESCRIPTOR_BYTES !== 0) {
    return `an indirect table of ${span.lengthBytes} bytes`;
  }
  if (!memory.contains(span.address, span.lengthBytes)) return 'an indirect table outside RAM';
  return undefined;
}

function broken(reason: string): BrokenQueue {
  return { kind: 'broken', reason };
}

/** Copies the first bytes of the spans into `target`; returns how many there were. */
export function gather(memory: GuestMemory, spans: readonly MemorySpan[], target: Uint8Array): number {
  let filled = 0;
  for (const span of spans) {
    if (filled === target.length) break;
    const part = Math.min(span.lengthBytes, target.length - filled);
    target.set(memory.readable(span.address, part), filled);
    filled += part;
  }
  return filled;
}

/** Writes the bytes to the spans from their start; returns how many fitted. */
export function scatter(memory: GuestMemory, spans: readonly MemorySpan[], bytes: Uint8Array): number {
  let written = 0;
  for (const span of spans) {
    if (written === bytes.length) break;
    const part = Math.min(span.lengthBytes, bytes.length - written);
    memory.write(span.address, bytes.subarray(written, written + part));
    written += part;
  }
  return written;
}
