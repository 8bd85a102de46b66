/**
 * Copies between a machine's live memory and memory of one's own. TypedArray.set on shared memory copies byte by byte
 * unless both sides happen to be aligned (V8's Relaxed_Memmove: 3 GB/s instead of 12); WebAssembly's memory.copy between
 * two memories does not care. AssemblyScript knows only one memory, so these few bytes are emitted here.
 * Source: WebAssembly Core Specification 3.0, "Binary Format" (imports, memory.copy with two memory indices).
 */
import './web-assembly.ts';

const exportFunction = 0;
const importMemory = 2;
const i32 = 0x7f;
const noMaximum = 0x00;
const sharedWithMaximum = 0x03;
/** 65,536 in LEB128: what the core declares as well. */
const wasmPagesMax = [0x80, 0x80, 0x04];
const own = 0;
const live = 1;

const section = (id: number, content: readonly number[]): number[] => [id, content.length, ...content];
const name = (text: string): number[] => [text.length, ...new TextEncoder().encode(text)];
const copyBody = (to: number, from: number): number[] => {
  const localGets = [0x20, 0, 0x20, 1, 0x20, 2];
  const code = [0, ...localGets, 0xfc, 0x0a, to, from, 0x0b];
  return [code.length, ...code];
};

const moduleBytes = new Uint8Array([
  ...[0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00],
  ...section(1, [1, 0x60, 3, i32, i32, i32, 0]),
  ...section(2, [
    2,
    ...[...name('memory'), ...name('own'), importMemory, noMaximum, 0],
    ...[...name('memory'), ...name('live'), importMemory, sharedWithMaximum, 0, ...wasmPagesMax],
  ]),
  ...section(3, [2, 0, 0]),
  ...section(7, [2, ...name('toLive'), exportFunction, 0, ...name('toOwn'), exportFunction, 1]),
  ...section(10, [2, ...copyBody(live, own), ...copyBody(own, live)]),
]);

/** Addresses are offsets in the memory that the function's name or the parameter's says; all in bytes. */
export interface PageCopy {
  toLive(liveAddress: number, ownAddress: number, bytes: number): void;
  toOwn(ownAddress: number, liveAddress: number, bytes: number): void;
}

/** `liveMemory` is a machine's, shared; `ownMemory` is not shared. A copy outside of either traps (RuntimeError). */
export function createPageCopy(ownMemory: WebAssembly.Memory, liveMemory: WebAssembly.Memory): PageCopy {
  const imports = { memory: { own: ownMemory, live: liveMemory } };
  return new WebAssembly.Instance(new WebAssembly.Module(moduleBytes), imports)
    .exports as unknown as PageCopy;
}
