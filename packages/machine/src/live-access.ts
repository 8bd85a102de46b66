/**
 * What a module over memory of its own does in a machine's live memory. TypedArray.set on shared memory copies byte by byte
 * unless both sides happen to be aligned (V8's Relaxed_Memmove: 3 GB/s instead of 12); WebAssembly's memory.copy between
 * two memories does not care. AssemblyScript knows only one memory, so these few bytes are emitted here.
 * Sources: WebAssembly Core Specification 3.0, "Binary Format" (imports; memory.copy, memory.fill and memory arguments with a
 * memory's index); WebAssembly threads proposal, "Overview" (i32.atomic.rmw.or).
 */
import './web-assembly.ts';

const exportFunction = 0;
const importMemory = 2;
const i32 = 0x7f;
const sharedWithMaximum = 0x03;
/** 65,536 in LEB128: what the core declares as well. */
const wasmPagesMax = [0x80, 0x80, 0x04];
const own = 0;
const live = 1;
/** Of a memory argument: aligned to four bytes, and the memory's index follows; then no offset. */
const wordOfLive = [0x42, live, 0];

const section = (id: number, content: readonly number[]): number[] => [id, content.length, ...content];
const name = (text: string): number[] => [text.length, ...new TextEncoder().encode(text)];
const functionType = (parameters: number, results: number): number[] => [
  0x60,
  ...[parameters, ...Array<number>(parameters).fill(i32)],
  ...[results, ...Array<number>(results).fill(i32)],
];
const body = (...instructions: readonly number[]): number[] => {
  const code = [0, ...instructions, 0x0b];
  return [code.length, ...code];
};
const local = (index: number): number[] => [0x20, index];
const copyBody = (to: number, from: number): number[] =>
  body(...local(0), ...local(1), ...local(2), 0xfc, 0x0a, to, from);
const clearBody = body(...local(0), 0x41, 0, ...local(1), 0xfc, 0x0b, live);
const loadBody = body(...local(0), 0x28, ...wordOfLive);
const orBody = body(...local(0), ...local(1), 0xfe, 0x33, ...wordOfLive, 0x1a);
/** Of the functions below, in their order. */
const functionTypes = [0, 0, 1, 2, 1];
const functionNames = ['toLive', 'toOwn', 'clear', 'load', 'or'];

/** Of the module. */
export const liveAccessBytes = new Uint8Array([
  ...[0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00],
  ...section(1, [3, ...functionType(3, 0), ...functionType(2, 0), ...functionType(1, 1)]),
  ...section(2, [
    2,
    ...[...name('memory'), ...name('own'), importMemory, sharedWithMaximum, 0, ...wasmPagesMax],
    ...[...name('memory'), ...name('live'), importMemory, sharedWithMaximum, 0, ...wasmPagesMax],
  ]),
  ...section(3, [functionTypes.length, ...functionTypes]),
  ...section(7, [
    functionNames.length,
    ...functionNames.flatMap((text, index) => [...name(text), exportFunction, index]),
  ]),
  ...section(10, [5, ...copyBody(live, own), ...copyBody(own, live), ...clearBody, ...loadBody, ...orBody]),
]);

/** Addresses are offsets in the memory that the function's name or the parameter's says; all in bytes. */
export interface LiveAccess {
  toLive(liveAddress: number, ownAddress: number, bytes: number): void;
  toOwn(ownAddress: number, liveAddress: number, bytes: number): void;
  /** Writes zeros. */
  clear(liveAddress: number, bytes: number): void;
  /** The word of 32 bits at an address that is a multiple of four. */
  load(liveAddress: number): number;
  /** Sets bits in such a word, atomically. */
  or(liveAddress: number, bits: number): void;
}

/** `module`: of these bytes. Both are shared memories; `liveMemory` is a machine's. An address outside of either traps (RuntimeError). */
export function createLiveAccess(
  module: WebAssembly.Module,
  ownMemory: WebAssembly.Memory,
  liveMemory: WebAssembly.Memory,
): LiveAccess {
  const imports = { memory: { own: ownMemory, live: liveMemory } };
  return new WebAssembly.Instance(module, imports).exports as unknown as LiveAccess;
}
