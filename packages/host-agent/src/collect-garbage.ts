/**
 * A collection when we want it: Node frees a dropped WebAssembly.Memory only then, and in a quiet thread nothing else brings
 * one about.
 */
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

setFlagsFromString('--expose-gc');

/** Of this thread's heap; takes some milliseconds. */
export const collectGarbage = runInNewContext('gc') as () => void;
