/**
 * `dirtier MIB RATE MODE`: rewrites RATE pages a second of MIB MiB, round and round, at an exact rate: at each
 * millisecond exactly as many are written as the rate asks for up to then. MODE `counter` changes 8 bytes of a page,
 * `page` all of it. Before a page is written again it must hold what was written last. A line on standard input or a
 * signal ends it with a verification of every byte.
 */
import type { Assembler } from '../assembler/assembler.ts';
import { defineStart, defineUsageNear, requiredNumber } from './arguments.ts';
import { defineClock, nsPerMs } from './clock.ts';
import { definePageContent } from './dirtier-page.ts';
import { defineFunction } from './linux.ts';
import { mapMemory, pageShift, reportMismatch, reportVerified } from './memory-area.ts';
import { defineRateReport } from './rate-report.ts';
import { defineStopRequest } from './stop-request.ts';
import { defineTextOutput } from './text-output.ts';

/** Above this, elapsed milliseconds times the rate could leave 64 bits within a year. */
const rateMax = 100_000_000;
const millisecondsPerSecond = 1000;
/** A guest that fell behind looks at the clock and at requests to stop again after a hundredth of a second's work. */
const batchesPerSecond = 100;

// Registers of main, kept through all calls: s2 memory, s3 pages, s4 rate, s5 mode (0 counter, 1 page), s6 pages
// written, s7 start ns, s9 page being verified, s10 target or page index, s11 now.

export function emitDirtier(a: Assembler): void {
  defineStart(a, { usage: 'usage: dirtier MIB RATE counter|page', argumentsMin: 3, argumentsMax: 3 });
  defineUsageNear(a);
  defineFunction(a, 'main', { saves: [] }, () => {
    emitSetUp(a);
    a.label('dirtier.turn');
    a.call('stop.poll');
    a.bnez('a0', 'dirtier.end');
    a.call('clock.now');
    a.mv('s11', 'a0');
    emitBatch(a);
    a.mv('a0', 's6');
    a.mv('a1', 's11');
    a.call('report.rate');
    emitPause(a);
    a.j('dirtier.turn');
    a.label('dirtier.end');
    emitVerifyAll(a);
    a.li('a0', 0);
    a.j('main.return');
    a.label('dirtier.mismatch');
    reportMismatch(a, 'dirtier', 's9');
  });
  definePageContent(a);
  defineStopRequest(a);
  defineRateReport(a, 'dirtier');
  defineClock(a);
  defineTextOutput(a);
}

function emitSetUp(a: Assembler): void {
  requiredNumber(a, 1, 's2', 1);
  requiredNumber(a, 2, 's4', 0);
  a.li('t0', rateMax);
  a.bltu('t0', 's4', 'usage.near');
  a.ld('s5', 8 * 3, 's1');
  emitModeTest(a, 'counter', 0);
  emitModeTest(a, 'page', 1);
  a.j('usage.near');
  a.label('dirtier.mode-known');
  mapMemory(a, 'dirtier');
  a.call('stop.install');
  a.call('clock.now');
  a.mv('s7', 'a0');
  a.call('report.begin');
  a.li('s6', 0);
}

/** Compares the text at s5 with the mode's name and its final zero; on equality s5 becomes the mode's number. */
function emitModeTest(a: Assembler, name: string, mode: number): void {
  const other = a.fresh('dirtier.other-mode');
  [...new TextEncoder().encode(name), 0].forEach((letter, index) => {
    a.lbu('t0', index, 's5');
    a.addi('t0', 't0', -letter);
    a.bnez('t0', other);
  });
  a.li('s5', mode);
  a.j('dirtier.mode-known');
  a.label(other);
}

/** s10 becomes the number of pages that should have been written by now; writes up to it, but not for too long. */
function emitBatch(a: Assembler): void {
  a.sub('t0', 's11', 's7');
  a.li('t1', nsPerMs);
  a.divu('t0', 't0', 't1');
  a.mul('t0', 't0', 's4');
  a.li('t1', millisecondsPerSecond);
  a.divu('s10', 't0', 't1');
  a.li('t1', batchesPerSecond);
  a.divu('t1', 's4', 't1');
  a.addi('t1', 't1', 1);
  a.add('t1', 't1', 's6');
  a.bgeu('t1', 's10', 'dirtier.batch-bounded');
  a.mv('s10', 't1');
  a.label('dirtier.batch-bounded');
  a.label('dirtier.next-page');
  a.bgeu('s6', 's10', 'dirtier.batch-done');
  // Round and round: a page's number and its generation follow from how many were written.
  emitPageArguments(a, 's6');
  a.call('page.verify');
  a.bnez('a0', 'dirtier.rewrite');
  a.remu('s9', 's6', 's3');
  a.j('dirtier.mismatch');
  a.label('dirtier.rewrite');
  emitPageArguments(a, 's6');
  a.addi('a2', 'a2', 1);
  a.call('page.write');
  a.addi('s6', 's6', 1);
  a.j('dirtier.next-page');
  a.label('dirtier.batch-done');
}

/** a0 address, a1 page, a2 generation of the page that is next after so many were written. */
function emitPageArguments(a: Assembler, written: 's6'): void {
  a.remu('a1', written, 's3');
  a.divu('a2', written, 's3');
  a.slli('a0', 'a1', pageShift);
  a.add('a0', 'a0', 's2');
}

/** Sleeps to the next whole millisecond since the start, unless there is work left. */
function emitPause(a: Assembler): void {
  a.call('clock.now');
  a.sub('t0', 'a0', 's7');
  a.li('t1', nsPerMs);
  a.divu('t0', 't0', 't1');
  a.mul('t2', 't0', 's4');
  a.li('t3', millisecondsPerSecond);
  a.divu('t2', 't2', 't3');
  a.bltu('s6', 't2', 'dirtier.paused');
  a.addi('t0', 't0', 1);
  a.mul('t0', 't0', 't1');
  a.add('a0', 't0', 's7');
  a.call('clock.sleep-until');
  a.label('dirtier.paused');
}

/** Every byte of every page. The first `written modulo pages` pages are one generation ahead. */
function emitVerifyAll(a: Assembler): void {
  a.li('s9', 0);
  a.label('dirtier.verify-next');
  a.mv('a1', 's9');
  a.slli('a0', 'a1', pageShift);
  a.add('a0', 'a0', 's2');
  a.divu('a2', 's6', 's3');
  a.remu('t0', 's6', 's3');
  a.sltu('t0', 'a1', 't0');
  a.add('a2', 'a2', 't0');
  a.call('page.verify-all');
  a.beqz('a0', 'dirtier.mismatch');
  a.addi('s9', 's9', 1);
  a.bne('s9', 's3', 'dirtier.verify-next');
  reportVerified(a, 'dirtier');
}
