/**
 * The compiled core and what TypeScript knows of it. `CoreModules` can be sent to workers: modules are shared,
 * the layout is a plain record read once from the core's exported globals.
 */
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { basename } from 'node:path';
import { compileWhole } from './compile-whole.ts';
import { liveAccessBytes } from './live-access.ts';
import { MachineError } from './machine-error.ts';
import './web-assembly.ts';

/** Names and values of the globals in assembly/layout.ts. */
export type CoreLayout = Readonly<Record<string, number>>;

export interface CoreModules {
  readonly core: WebAssembly.Module;
  /** Fills and applies batches of pages, in memory of its own. */
  readonly pageKernel: WebAssembly.Module;
  /** For createLiveAccess. */
  readonly liveAccess: WebAssembly.Module;
  readonly layout: CoreLayout;
  /** SHA-256 of the core, hexadecimal: machines with equal ones compute alike. */
  readonly digest: string;
}

/** What the core calls: see assembly/bus.ts and assembly/missing-pages.ts. */
export interface CoreImports {
  deviceRead(address: number, size: number): number;
  deviceWrite(address: number, size: number, value: number): number;
  /** Returns when the page of RAM is there. */
  awaitPage(page: number): void;
}

/** For an instance that runs nothing. */
export const noImports: CoreImports = { deviceRead: () => 0, deviceWrite: () => 0, awaitPage: () => {} };

/** The functions that assembly/index.ts exports. u64 crosses as bigint. */
export interface CoreExports {
  run(limit: number): number;
  initialise(pages: number): void;
  reset(): void;
  enterSupervisor(entry: bigint, deviceTree: bigint): void;
  refreshDerived(): void;
  dropDecoded(): void;
  /** Which code a guest uses, and decoding it ahead (assembly/code-ahead.ts): records at USED_CODE. */
  watchCode(): void;
  saveUsedCode(): number;
  decodeAhead(): number;
  dropRewritten(): void;
  /** assembly/allocation.ts */
  allocatePages(first: number, pages: number): number;
  isRunnable(): number;
  nextTimerTime(): bigint;
  setTime(base: bigint, rate: number): void;
  setDeviceAlarm(time: bigint): void;
  timeAt(steps: bigint): bigint;
  currentSteps(): bigint;
  requestProcessing(): void;
  takeKick(): number;
  disturb(): void;
  setInterruptLine(source: number, asserted: number): void;
  dmaPrepare(offset: number, length: number): void;
  harvest(consumers: number): number;
  /** Pages of zeros that the guest does not need until it writes them; dropFastStores is to follow. */
  markFree(first: number, count: number): void;
  dropFastStores(): void;
  /** Of so many bytes at an offset in RAM: returns when the pages are there. */
  requirePages(offset: number, length: number): void;
  /** Of the TLB and the saved entries at TLB_SAVED (assembly/tlb.ts). */
  saveTlb(): number;
  canRestoreTlb(count: number): number;
  restoreTlb(count: number): void;
  pageHash(pointer: number, page: number): bigint;
  /** Of RAM and of its bitmap of pages ever written: addresses in memory. */
  sumPageHashes(ram: number, touched: number, first: number, count: number): bigint;
  pageIsZero(pointer: number): number;
}

const wasmPageBytes = 65_536;

/**
 * @param coreFile another core than the built one: for measurements
 * @throws MachineError machine.core-missing if the build step has not run.
 */
export async function loadCore(coreFile: URL = built('core.wasm')): Promise<CoreModules> {
  const [coreBytes, pageKernelBytes] = await Promise.all([read(coreFile), read(built('page-kernel.wasm'))]);
  const core = compileWhole(coreBytes);
  const digest = createHash('sha256').update(coreBytes).digest('hex');
  return {
    core,
    pageKernel: compileWhole(pageKernelBytes),
    liveAccess: compileWhole(liveAccessBytes),
    layout: readLayout(core),
    digest,
  };
}

function built(file: string): URL {
  return new URL(`../build/${file}`, import.meta.url);
}

async function read(url: URL): Promise<Uint8Array<ArrayBuffer>> {
  return await readFile(url).catch((cause: unknown) => {
    const file = basename(url.pathname);
    throw new MachineError('machine.core-missing', `the machine core is not built: ${file} is missing`, {
      cause,
    });
  });
}

function readLayout(core: WebAssembly.Module): CoreLayout {
  const memory = new WebAssembly.Memory({ initial: 1, maximum: 1, shared: true });
  const instance = instantiateCore(core, memory, noImports);
  const layout: Record<string, number> = {};
  for (const [name, value] of Object.entries(instance.exports)) {
    if (!(value instanceof WebAssembly.Global)) continue;
    const content: unknown = value.value;
    if (typeof content === 'number') layout[name] = content >>> 0;
  }
  return layout;
}

export function instantiateCore(
  core: WebAssembly.Module,
  memory: WebAssembly.Memory,
  { deviceRead, deviceWrite, awaitPage }: CoreImports,
): WebAssembly.Instance {
  return new WebAssembly.Instance(core, {
    env: { memory },
    bus: { deviceRead, deviceWrite },
    'missing-pages': { awaitPage },
  });
}

/** A name of the layout. A missing one is a programmer's mistake: core and TypeScript are built together. */
export function layoutOf(modules: CoreModules, name: string): number {
  const value = modules.layout[name];
  if (value === undefined) throw new TypeError(`the core exports no ${name}`);
  return value;
}

/**
 * Memory for one machine: the fixed part and its RAM, never grown.
 * @throws MachineError machine.memory-size
 */
export function createMachineMemory(modules: CoreModules, memoryMib: number): WebAssembly.Memory {
  const pages = machinePages(modules, memoryMib);
  return new WebAssembly.Memory({ initial: pages, maximum: pages, shared: true });
}

/** The fixed part alone, of a machine whose RAM nobody knows yet: `growMachineMemory` gives it one. */
export function createSpareMemory(modules: CoreModules): WebAssembly.Memory {
  const initial = layoutOf(modules, 'RAM') / wasmPageBytes;
  const maximum = machinePages(modules, layoutOf(modules, 'RAM_MIB_MAX'));
  return new WebAssembly.Memory({ initial, maximum, shared: true });
}

/**
 * Makes of createSpareMemory's what createMachineMemory makes. Views of it from before end where RAM begins.
 * @throws MachineError machine.memory-size; it is spare still
 */
export function growMachineMemory(modules: CoreModules, spare: WebAssembly.Memory, memoryMib: number): void {
  spare.grow(machinePages(modules, memoryMib) - spare.buffer.byteLength / wasmPageBytes);
}

/** @throws MachineError machine.memory-size */
function machinePages(modules: CoreModules, memoryMib: number): number {
  const least = layoutOf(modules, 'RAM_MIB_MIN');
  const most = layoutOf(modules, 'RAM_MIB_MAX');
  if (!Number.isInteger(memoryMib) || memoryMib < least || memoryMib > most) {
    throw new MachineError('machine.memory-size', `a machine has ${least} to ${most} MiB, not ${memoryMib}`);
  }
  return (layoutOf(modules, 'RAM') + memoryMib * 1024 * 1024) / wasmPageBytes;
}
