import { readFileSync } from 'node:fs';
import { setFlagsFromString } from 'node:v8';
import { Script } from 'node:vm';
import { beforeAll, describe, expect, it } from 'vitest';
import { compileWhole } from './compile-whole.ts';
import { instantiateCore, noImports } from './core-module.ts';

// V8's own words for its tests (src/runtime/runtime-test-wasm.cc).
setFlagsFromString('--allow-natives-syntax');
const isCompiledForGood = new Script('(f) => %IsTurboFanFunction(f)').runInThisContext() as (
  f: unknown,
) => boolean;

/** `(module (func (export "f")))`, each time with another custom section: V8 keeps modules by their bytes. */
function smallest(letter: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.of(
    ...[0, 0x61, 0x73, 0x6d, 1, 0, 0, 0],
    ...[0, 2, 1, letter.charCodeAt(0)],
    ...[1, 4, 1, 0x60, 0, 0],
    ...[3, 2, 1, 0],
    ...[7, 5, 1, 1, 0x66, 0, 0],
    ...[10, 4, 1, 2, 0, 0x0b],
  );
}

describe('WebAssembly that is compiled as a whole', () => {
  let core: Uint8Array<ArrayBuffer>;
  beforeAll(() => {
    core = readFileSync(new URL('../build/core.wasm', import.meta.url));
  });

  it('is as fast as it will ever be before anything was called', () => {
    const memory = new WebAssembly.Memory({ initial: 1024, maximum: 1024, shared: true });
    const { exports } = instantiateCore(compileWhole(core), memory, noImports);
    const functions = Object.entries(exports).filter(([, value]) => typeof value === 'function');
    expect(functions.length).toBeGreaterThan(10);
    for (const [name, value] of functions) expect([name, isCompiledForGood(value)]).toEqual([name, true]);
  });

  it('leaves other modules as they are: compiled when they are called', () => {
    compileWhole(smallest('a'));
    const { exports } = new WebAssembly.Instance(new WebAssembly.Module(smallest('b')), {});
    expect(isCompiledForGood(exports.f)).toBe(false);
  });

  it('that is none is refused, and the next module is compiled as ever', () => {
    expect(() => compileWhole(Uint8Array.of(1, 2, 3, 4, 1, 0, 0, 0))).toThrow(/expected magic word/);
    const { exports } = new WebAssembly.Instance(new WebAssembly.Module(smallest('c')), {});
    expect(isCompiledForGood(exports.f)).toBe(false);
  });
});
