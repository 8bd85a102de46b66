/**
 * Objects that a worker keeps, like those that its work is made of. V8 refers weakly to what its inline caches and its optimized code have seen,
 * the hidden classes of objects among it. With the last object of a hidden class these go at the next collection, and with them what was
 * compiled for them ("embedded weak objects cleared" under --trace-deopt). We collect after each migration and each VM, so that each began
 * with code that had to learn again what it works on (docs/decisions/0015-specimens.md).
 */
const kept = new Set<object>();

/** This and all that it refers to, in place of what was kept before: nothing of a real guest, whose memory would stay. */
export function keepSpecimens(specimens: object): void {
  kept.clear();
  kept.add(specimens);
}

export function dropSpecimens(): void {
  kept.clear();
}
