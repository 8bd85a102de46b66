/**
 * Objects that stay for as long as their thread, one of each kind that its work is made of. V8 refers weakly to what its inline caches and
 * its optimized code have seen: the hidden classes of objects, and functions. With the last object of a class these go at the next collection,
 * and with them all that was compiled for them ("embedded weak objects cleared" under --trace-deopt); we collect after each migration,
 * so that each began with code that had to learn again what it works on (docs/decisions/0015-specimens.md).
 */
const kept = new Map<string, readonly object[]>();

/** In place of those that were kept under this name before. They keep all that they refer to: no guest's memory. */
export function keepSpecimens(name: string, objects: readonly object[]): void {
  kept.set(name, objects);
}
