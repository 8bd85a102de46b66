/** A small module without shared memory, for whoever hashes private copies of pages: transfer workers. */
export { applyDelta, encodeDelta } from './page-delta';
export { pageHash, pageIsZero } from './page-hash';
