/**
 * `remapper PAGES`: a storm of page tables. Round and round it unmaps PAGES pages and maps new ones in their place, fills
 * them, takes the right to write away, forks, writes its own copies beside the child's, and moves them elsewhere. Whatever
 * it finds there must be what the last step left: new pages are zero, a page without the right to write takes no write of
 * the kernel's, parent and child do not see each other's writes. A line on standard input or a signal ends it.
 */
import type { Assembler } from '../assembler/assembler.ts';
import { defineStart, defineUsageNear, requiredNumber } from './arguments.ts';
import { defineClock } from './clock.ts';
import {
  clockMonotonic,
  defineFunction,
  errors,
  mapFixed,
  mapPrivateAnonymous,
  protection,
  signals,
  systemCall,
} from './linux.ts';
import { mapPages, pageShift } from './memory-area.ts';
import { defineRateReport } from './rate-report.ts';
import { definePageWords } from './remapper-words.ts';
import { defineStopRequest } from './stop-request.ts';
import { defineTextOutput, endLine, printDecimal, printText } from './text-output.ts';

const pagesMax = 65_536;
const mremapMayMoveFixed = 3;
/** Who wrote: in what the pages hold. */
const writer = { parent: 1, child: 2, parentBesideChild: 3 } as const;

/** Where it found something else: the exit code of a child that did, and words on the console. */
const places = [
  'new page',
  'filled page',
  'read-only page',
  "child's page",
  "parent's page",
  'moved page',
] as const;
type Place = (typeof places)[number];

// Registers of main, kept through all calls: s2 where the pages are, s3 pages, s4 round, s5 their bytes, s6 page that is not
// right, s7 child, s8 where the pages are not, s11 now.

export function emitRemapper(a: Assembler): void {
  defineStart(a, { usage: 'usage: remapper PAGES', argumentsMin: 1, argumentsMax: 1 });
  defineUsageNear(a);
  defineFunction(a, 'main', { saves: [], localBytes: 16 }, () => {
    emitSetUp(a);
    a.label('remapper.round');
    a.addi('s4', 's4', 1);
    emitNewPages(a);
    emitReadOnly(a);
    emitFork(a);
    emitMove(a);
    a.call('stop.poll');
    a.bnez('a0', 'remapper.end');
    a.call('clock.now');
    a.mv('a1', 'a0');
    a.mv('a0', 's4');
    a.call('report.rate');
    a.j('remapper.round');
    a.label('remapper.end');
    printText(a, 'remapper: verified ');
    printDecimal(a, 's4');
    printText(a, ' rounds');
    endLine(a);
    a.li('a0', 0);
    a.j('main.return');
    emitFailures(a);
  });
  definePageWords(a);
  defineStopRequest(a);
  defineRateReport(a, 'remapper');
  defineClock(a);
  defineTextOutput(a);
}

/** Twice the room: the pages are in one half, and move to the other. */
function emitSetUp(a: Assembler): void {
  requiredNumber(a, 1, 's3', 1);
  a.li('t0', pagesMax);
  a.bltu('t0', 's3', 'usage.near');
  a.slli('s5', 's3', pageShift);
  a.slli('s3', 's3', 1);
  mapPages(a, 'remapper', protection.readWrite);
  a.srli('s3', 's3', 1);
  a.add('s8', 's2', 's5');
  a.li('s4', 0);
  a.call('stop.install');
  a.call('clock.now');
  a.call('report.begin');
}

function emitNewPages(a: Assembler): void {
  a.mv('a0', 's2');
  a.mv('a1', 's5');
  systemCall(a, 'munmap');
  expectResult(a, 0);
  a.mv('a0', 's2');
  a.mv('a1', 's5');
  a.li('a2', protection.readWrite);
  a.li('a3', mapPrivateAnonymous | mapFixed);
  a.li('a4', -1);
  a.li('a5', 0);
  systemCall(a, 'mmap');
  a.sub('a0', 'a0', 's2');
  expectResult(a, 0);
  a.call('words.find-nonzero');
  emitVerdict(a, 'new page');
  callWords(a, 'words.write', writer.parent);
  callWords(a, 'words.verify', writer.parent);
  emitVerdict(a, 'filled page');
}

/** The kernel writes for a program only where that may write itself. */
function emitReadOnly(a: Assembler): void {
  emitProtect(a, protection.read);
  a.remu('s6', 's4', 's3');
  a.slli('a1', 's6', pageShift);
  a.add('a1', 'a1', 's2');
  a.li('a0', clockMonotonic);
  systemCall(a, 'clockGettime');
  a.addi('a0', 'a0', -errors.fault);
  a.bnez('a0', labelOf('read-only page'));
  callWords(a, 'words.verify', writer.parent);
  emitVerdict(a, 'read-only page');
}

/** Both write their copies of the same pages while the other lives. */
function emitFork(a: Assembler): void {
  a.li('a0', signals.child);
  for (const register of ['a1', 'a2', 'a3', 'a4'] as const) a.li(register, 0);
  systemCall(a, 'clone');
  a.mv('s7', 'a0');
  a.bltz('s7', 'remapper.refused');
  emitProtect(a, protection.readWrite);
  a.bnez('s7', 'remapper.parent');
  callWords(a, 'words.verify', writer.parent);
  emitVerdict(a, "child's page");
  callWords(a, 'words.write', writer.child);
  callWords(a, 'words.verify', writer.child);
  emitVerdict(a, "child's page");
  a.li('a0', 0);
  systemCall(a, 'exit');
  a.label('remapper.parent');
  callWords(a, 'words.write', writer.parentBesideChild);
  a.label('remapper.wait');
  a.mv('a0', 's7');
  a.mv('a1', 'sp');
  a.li('a2', 0);
  a.li('a3', 0);
  systemCall(a, 'wait4');
  a.li('t0', errors.interrupted);
  a.beq('a0', 't0', 'remapper.wait');
  a.bne('a0', 's7', 'remapper.refused');
  // The child has said what it found; 0 is that nothing was wrong.
  a.lw('a0', 0, 'sp');
  a.bnez('a0', 'remapper.child-failed');
  callWords(a, 'words.verify', writer.parentBesideChild);
  emitVerdict(a, "parent's page");
}

/** The same pages at another address: new entries in other tables. */
function emitMove(a: Assembler): void {
  a.mv('a0', 's2');
  a.mv('a1', 's5');
  a.mv('a2', 's5');
  a.li('a3', mremapMayMoveFixed);
  a.mv('a4', 's8');
  systemCall(a, 'mremap');
  a.sub('a0', 'a0', 's8');
  expectResult(a, 0);
  a.mv('t0', 's2');
  a.mv('s2', 's8');
  a.mv('s8', 't0');
  callWords(a, 'words.verify', writer.parentBesideChild);
  emitVerdict(a, 'moved page');
}

function emitProtect(a: Assembler, use: number): void {
  a.mv('a0', 's2');
  a.mv('a1', 's5');
  a.li('a2', use);
  systemCall(a, 'mprotect');
  expectResult(a, 0);
}

function callWords(a: Assembler, name: 'words.write' | 'words.verify', who: number): void {
  a.li('a0', who);
  a.call(name);
}

/** a0 is the page that is not right, or -1. */
function emitVerdict(a: Assembler, place: Place): void {
  const right = a.fresh('remapper.right');
  a.bltz('a0', right);
  a.mv('s6', 'a0');
  a.j(labelOf(place));
  a.label(right);
}

function expectResult(a: Assembler, value: 0): void {
  const right = a.fresh('remapper.done');
  a.li('t0', value);
  a.beq('a0', 't0', right);
  a.j('remapper.refused');
  a.label(right);
}

function labelOf(place: Place): string {
  return `remapper.wrong-${places.indexOf(place)}`;
}

function emitFailures(a: Assembler): void {
  for (const place of places) {
    a.label(labelOf(place));
    printText(a, `remapper: MISMATCH ${place} `);
    a.j('remapper.wrong');
  }
  a.label('remapper.wrong');
  printDecimal(a, 's6');
  printText(a, ' round ');
  printDecimal(a, 's4');
  endLine(a);
  a.label('remapper.child-failed');
  a.li('a0', 1);
  a.j('main.return');
  a.label('remapper.refused');
  a.sub('s6', 'zero', 'a0');
  printText(a, 'remapper: refused by the kernel, error ');
  printDecimal(a, 's6');
  endLine(a);
  a.li('a0', 1);
  a.j('main.return');
}
