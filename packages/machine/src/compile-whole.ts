/**
 * WebAssembly that is as fast from its first call on as it will ever be. V8 compiles a function when it is called for the first time, quickly,
 * and compiles it anew once it was at work for a while: a guest that arrived at a host that had run none stood still twice as long, and
 * helper threads compiled while others were moved. All of the core at once takes 40 ms.
 */
import { setFlagsFromString } from 'node:v8';
import './web-assembly.ts';

/** Functions are compiled right away, by the last of V8's compilers. */
const wholeFlags = ['--no-wasm-lazy-compilation', '--no-liftoff'];
const usualFlags = ['--wasm-lazy-compilation', '--liftoff'];

/** Whoever gets the module from another thread has the same code. @throws WebAssembly.CompileError */
export function compileWhole(bytes: Uint8Array<ArrayBuffer>): WebAssembly.Module {
  wholeFlags.forEach(setFlagsFromString);
  try {
    // Not WebAssembly.compile: the flags are of the whole process.
    return new WebAssembly.Module(bytes);
  } finally {
    usualFlags.forEach(setFlagsFromString);
  }
}
