/**
 * The page kernel (packages/machine, assembly/page-kernel) with memory of its own beside a machine's live RAM. Pages go
 * through it a batch at a time: a thread that has just begun runs its JavaScript slowly, and its WebAssembly at once.
 */
import { type CoreModules, createLiveAccess, type LivePages, type MachineMemory } from '@skein/machine';

/** A global of 32 bits. */
interface Count {
  readonly value: number;
}

/** Addresses are offsets in the kernel's memory. */
export interface PageKernelExports {
  setLive(ram: number, touched: number, free: number, rewritten: number): void;
  setHashes(at: number): void;
  hashSum(): bigint;
  forgetHashes(bitmap: number, words: number): void;
  setCopies(slotOf: number, pageOf: number, copies: number, slots: number): void;
  copyOf(page: number): number;
  keepCopy(page: number, pointer: number): void;
  dropCopy(page: number): void;
  listPages(bitmap: number, words: number, list: number): number;
  findNonzero(bitmap: number, words: number, first: number, found: number, scratch: number): number;
  setScratch(at: number): void;
  setRewritten(at: number): void;
  fillBatch(batch: number, list: number, count: number, skipsFree: number, keepsCopies: number): number;
  setChanged(at: number): void;
  applyEntries(entries: number, count: number, data: number): number;
  readonly isAnother: Count;
  encodeDelta(before: number, after: number, out: number, most: number): number;
  applyDelta(delta: number, bytes: number, page: number): number;
  readonly entries: Count;
  readonly dataBytes: Count;
  readonly zeroPages: Count;
  readonly freePages: Count;
  readonly deltaPages: Count;
  readonly rewrittenPages: Count;
}

const wasmPageBytes = 65_536;
/** The module keeps the first wasm page for itself. */
const start = wasmPageBytes;
const alignment = 64;

/** Where things stand in a kernel's memory, one behind the other; all zero at first. */
export class KernelLayout {
  #end = start;

  take(bytes: number): number {
    const at = this.#end;
    this.#end += Math.ceil(bytes / alignment) * alignment;
    return at;
  }

  /** Offset behind all that was taken. */
  get end(): number {
    return this.#end;
  }
}

export class PageKernel {
  readonly calls: PageKernelExports;
  /** All of its memory: shared, though nobody shares it, for V8 counts other memory as used heap even where it was never touched. */
  readonly bytes: Uint8Array<SharedArrayBuffer>;

  /** `sizeBytes`: of all its memory; what is never touched is never allocated. `live`: for one that applies batches. */
  constructor(
    modules: CoreModules,
    machine: MachineMemory,
    sizeBytes: number,
    live: Pick<LivePages, 'pageHash'> | null = null,
  ) {
    const pages = Math.ceil(sizeBytes / wasmPageBytes);
    const memory = new WebAssembly.Memory({ initial: pages, maximum: pages, shared: true });
    const access = createLiveAccess(modules.liveAccess, memory, machine.wasm);
    const instance = new WebAssembly.Instance(modules.pageKernel, {
      env: { memory },
      live: { ...access, pageHash: live?.pageHash ?? (() => 0n) },
    });
    this.calls = instance.exports as unknown as PageKernelExports;
    const { ramAddress, touchedAddress, freeAddress, rewrittenAddress } = machine;
    this.calls.setLive(ramAddress, touchedAddress, freeAddress, rewrittenAddress);
    this.bytes = new Uint8Array(memory.buffer);
  }

  /** A copy. */
  readWords(at: number, count: number): Uint32Array {
    return Uint32Array.from(new Uint32Array(this.bytes.buffer, at, count));
  }

  writeWords(at: number, words: Uint32Array): void {
    new Uint32Array(this.bytes.buffer, at, words.length).set(words);
  }
}
