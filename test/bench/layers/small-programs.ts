/** Programs that do one thing that is not on the interpreter's fast path, so often that its cost can be told. */
import type { Assembler } from '@skein/guests';
import { areaAddress, areaBytes, type BareProgram } from './bare-guest.ts';

const pageBytes = 4096;
const exit = 94;

export const callCount = 500_000;
/** Four times what the TLB has entries. */
export const walkedPages = 4096;
export const walkRounds = 50;
export const storedPages = 1000;
/** Of one pass over those pages, and the four instructions around it. */
export const storeSteps = 4 * storedPages + 5;
/** Instructions in the straight code that is decoded anew: more would not stay in the pool of decoded pages. */
export const decodedPages = 200;
export const decodedInstructions = decodedPages * (pageBytes / 4);

/** An environment call and its return, `callCount` times. */
export const calls: BareProgram = {
  entry: 'start',
  emit: (a) =>
    repeated(a, callCount, () => {
      a.li('a7', 0);
      a.ecall();
    }),
};

/** The same loop with two instructions that trap nothing. */
export const noCalls: BareProgram = {
  entry: 'start',
  emit: (a) =>
    repeated(a, callCount, () => {
      a.li('a7', 0);
      a.li('a6', 0);
    }),
};

/** One load from each of more pages than there are TLB entries. */
export const walks: BareProgram = {
  entry: 'start',
  emit: (a) =>
    repeated(a, walkRounds, () => onEachPage(a, walkedPages, pageBytes, () => a.ld('t3', 0, 't1'))),
};

/** As many loads from one page. */
export const noWalks: BareProgram = {
  entry: 'start',
  emit: (a) => repeated(a, walkRounds, () => onEachPage(a, walkedPages, 0, () => a.ld('t3', 0, 't1'))),
};

/** One store to each of many pages, over and over: a run of `storeSteps` is about one pass. */
export const stores: BareProgram = {
  entry: 'start',
  emit: (a) =>
    repeated(a, 1_000_000, () => onEachPage(a, storedPages, pageBytes, () => a.sd('zero', 0, 't1'))),
};

/** Straight code over many pages, once. */
export const straight: BareProgram = {
  entry: 'start',
  emit: (a) =>
    repeated(a, 1, () => {
      for (let index = 0; index < decodedInstructions; index++) a.addi('t3', 't3', 1);
    }),
};

if (walkedPages * pageBytes > areaBytes) throw new Error('the pages are more than the area has');

function repeated(a: Assembler, times: number, body: () => void): void {
  a.label('start');
  a.li('s0', times);
  a.label('start.again');
  body();
  a.addi('s0', 's0', -1);
  // The code between may be longer than a branch reaches.
  a.beqz('s0', 'start.done');
  a.j('start.again');
  a.label('start.done');
  a.li('a7', exit);
  a.ecall();
}

function onEachPage(a: Assembler, pages: number, stride: number, access: () => void): void {
  const next = a.fresh('page');
  a.li('t1', areaAddress);
  a.li('t2', pages);
  a.li('t0', stride);
  a.label(next);
  access();
  a.add('t1', 't1', 't0');
  a.addi('t2', 't2', -1);
  a.bnez('t2', next);
}
