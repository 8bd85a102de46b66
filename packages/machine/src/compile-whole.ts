/**
 * WebAssembly that is as fast from its first call on as it will ever be. V8 compiles a function when it is called for the first time, quickly,
 * and compiles it anew once it was at work for a while: for the first guest of a host that is while it arrives
 * (docs/decisions/0013-what-runs-in-a-transfer.md). All of the core at once takes 40 ms.
 */
import { setFlagsFromString } from 'node:v8';
import './web-assembly.ts';

/** Functions are compiled right away, by the last of V8's compilers. */
const wholeFlags = ['--no-wasm-lazy-compilation', '--no-liftoff'];
const usualFlags = ['--wasm-lazy-compilation', '--liftoff'];

/**
 * On the main thread, before others use WebAssembly, for the flags are of the whole process meanwhile. Threads that are given the module share the code
 * of its functions. Bytes that this process has a module of already are that module, as it was compiled.
 * @throws WebAssembly.CompileError
 */
export function compileWhole(bytes: Uint8Array<ArrayBuffer>): WebAssembly.Module {
  wholeFlags.forEach(setFlagsFromString);
  try {
    // Not WebAssembly.compile, which would go on when the flags are others again.
    return new WebAssembly.Module(bytes);
  } finally {
    usualFlags.forEach(setFlagsFromString);
  }
}
