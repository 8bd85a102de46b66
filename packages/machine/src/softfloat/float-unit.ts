/**
 * Test tool: the core's executeFloat by itself, compiled from assembly/softfloat/index.ts with the core's own
 * flags, on registers in a memory of its own. Keyed by a hash of the sources, so that only a change compiles.
 */
import { execFile } from 'node:child_process';
import { createHash, randomUUID } from 'node:crypto';
import { existsSync, globSync, mkdirSync, readFileSync, renameSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const machineFolder = resolve(import.meta.dirname, '../..');
const compileDeadlineMs = 60_000;

const compilerFlags = [
  ...['-O3', '--noAssert', '--runtime', 'stub', '--use', 'abort='],
  ...['--importMemory', '--sharedMemory', '--initialMemory', '1', '--maximumMemory', '65536'],
  ...['--enable', 'threads', '--enable', 'simd'],
];

interface FloatUnitExports {
  readonly executeFloat: (instruction: number) => number;
  readonly XREG: { readonly value: number };
  readonly FREG: { readonly value: number };
  readonly FCSR: { readonly value: number };
}

interface Memory {
  readonly buffer: SharedArrayBuffer;
}

/** What is used here of WebAssembly, which TypeScript declares only together with the DOM. */
interface WebAssemblyApi {
  readonly Memory: new (limits: { initial: number; maximum: number; shared: true }) => Memory;
  instantiate(
    bytes: Uint8Array,
    imports: { env: { memory: Memory } },
  ): Promise<{
    instance: { exports: unknown };
  }>;
}

export class FloatUnit {
  readonly #exports: FloatUnitExports;
  readonly #registers: DataView;
  readonly #floatBase: number;
  readonly #integerBase: number;
  readonly #fcsrAddress: number;

  constructor(exports: FloatUnitExports, memory: Memory) {
    this.#exports = exports;
    this.#registers = new DataView(memory.buffer);
    this.#floatBase = exports.FREG.value;
    this.#integerBase = exports.XREG.value;
    this.#fcsrAddress = exports.FCSR.value;
  }

  /** 0 if done, 1 if illegal. */
  execute(instruction: number): number {
    return this.#exports.executeFloat(instruction | 0);
  }

  setFloat(register: number, bits: bigint): void {
    this.#registers.setBigUint64(this.#floatBase + 8 * register, bits, true);
  }

  float(register: number): bigint {
    return this.#registers.getBigUint64(this.#floatBase + 8 * register, true);
  }

  setInteger(register: number, bits: bigint): void {
    this.#registers.setBigUint64(this.#integerBase + 8 * register, bits, true);
  }

  /** Slot 32 is where writes to x0 go. */
  integer(slot: number): bigint {
    return this.#registers.getBigUint64(this.#integerBase + 8 * slot, true);
  }

  set fcsr(value: number) {
    this.#registers.setUint32(this.#fcsrAddress, value, true);
  }

  get fcsr(): number {
    return this.#registers.getUint32(this.#fcsrAddress, true);
  }

  /** All of memory, as it is now. */
  copyMemory(): Uint8Array {
    return Uint8Array.from(new Uint8Array(this.#registers.buffer));
  }

  isMemoryEqual(copy: Uint8Array): boolean {
    return Buffer.from(this.#registers.buffer).equals(copy);
  }
}

export async function loadFloatUnit(): Promise<FloatUnit> {
  const { WebAssembly } = globalThis as unknown as { WebAssembly: WebAssemblyApi };
  const memory = new WebAssembly.Memory({ initial: 1, maximum: 65_536, shared: true });
  const bytes = readFileSync(await ensureFloatUnit());
  const { instance } = await WebAssembly.instantiate(bytes, { env: { memory } });
  return new FloatUnit(instance.exports as FloatUnitExports, memory);
}

/** The path of the compiled module. */
async function ensureFloatUnit(): Promise<string> {
  const sources = ['assembly/layout.ts', 'assembly/execute/float.ts'].concat(
    globSync('assembly/softfloat/*.ts', { cwd: machineFolder }).sort(),
  );
  const hash = createHash('sha256').update(compilerFlags.join(' '));
  for (const source of sources) hash.update(source).update(readFileSync(join(machineFolder, source)));
  const output = join(machineFolder, 'build/softfloat', `${hash.digest('hex').slice(0, 16)}.wasm`);
  if (existsSync(output)) return output;
  mkdirSync(dirname(output), { recursive: true });
  // Test files run side by side: each writes a file of its own and renames it last.
  const unfinished = `${output}.${randomUUID()}.wasm`;
  const assemblyScript = dirname(fileURLToPath(import.meta.resolve('assemblyscript/package.json')));
  const args = [join(assemblyScript, 'bin/asc.js'), 'assembly/softfloat/index.ts', ...compilerFlags];
  await promisify(execFile)(process.execPath, [...args, '--outFile', unfinished], {
    cwd: machineFolder,
    timeout: compileDeadlineMs,
  });
  renameSync(unfinished, output);
  return output;
}
