/** Prints whether V8 still has optimized code for a class's objects after all of them were collected: with `keep` one was not. */
import { collectGarbage } from './collect-garbage.ts';
import { keepSpecimens } from './specimens.ts';

class Counter {
  readonly #step: number;
  #count = 0;

  constructor(step: number) {
    this.#step = step;
  }

  next(): number {
    this.#count += this.#step;
    return this.#count;
  }
}

const countOnce = (counter: Counter): number => counter.next();

// V8's own functions have no other way to be called: `%` is no JavaScript (--allow-natives-syntax).
const native = (body: string) => new Function('f', body) as (f: typeof countOnce) => number;
const optimizationStatus = native('return %GetOptimizationStatus(f)');
/** Bit of `OptimizationStatus` (V8, src/runtime/runtime.h): the function has optimized code. */
const isOptimized = 1 << 4;

if (process.argv[2] === 'keep') keepSpecimens(new Counter(1));
native('%PrepareFunctionForOptimization(f)')(countOnce);
for (let times = 0; times < 50; times++) countOnce(new Counter(2));
native('%OptimizeMaglevOnNextCall(f)')(countOnce);
countOnce(new Counter(2));
const before = (optimizationStatus(countOnce) & isOptimized) !== 0;
// Not in the turn whose stack refers to the objects.
setImmediate(() => {
  collectGarbage();
  const after = (optimizationStatus(countOnce) & isOptimized) !== 0;
  // The class itself is there in any case, as ours are.
  process.stdout.write(JSON.stringify({ before, after, next: new Counter(3).next() }));
});
