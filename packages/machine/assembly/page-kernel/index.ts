/** A small module over memory of its own, for whoever moves pages between a machine's live memory and batches: transfer workers. */
export { applyEntries, isAnother, setChanged } from './apply-entries';
export {
  dataBytes,
  deltaPages,
  entries,
  fillBatch,
  freePages,
  listPages,
  rewrittenPages,
  setRewritten,
  setScratch,
  zeroPages,
} from './fill-batch';
export { findNonzero } from './find-nonzero';
export { forgetHashes, hashSum, setHashes } from './hash-table';
export { setLive } from './live';
export { applyDelta, encodeDelta } from './page-delta';
export { copyOf, dropCopy, keepCopy, setCopies } from './sent-copies';
