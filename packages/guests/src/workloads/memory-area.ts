/** Anonymous memory for the workloads that fill or dirty it, and the line that tells of a page that is not right. */
import type { Assembler } from '../assembler/assembler.ts';
import { mapPrivateAnonymous, protection, systemCall } from './linux.ts';
import { endLine, printDecimal, printText } from './text-output.ts';

export const pageBytes = 4096;
export const pageShift = 12;
export const wordsPerPage = pageBytes / 8;
/** log2 of the bytes of a MiB. */
export const mibShift = 20;

/** Maps s2 = MiB of zeroed memory: s2 becomes its address, s3 its number of pages. Returns from main with 1 on failure. */
export function mapMemory(a: Assembler, program: string): void {
  a.slli('s3', 's2', mibShift - pageShift);
  mapPages(a, program, protection.readWrite);
}

/** The same of s3 = pages, for the given use; s2 becomes their address. */
export function mapPages(a: Assembler, program: string, use: number): void {
  const mapped = a.fresh('memory.mapped');
  a.li('a0', 0);
  a.slli('a1', 's3', pageShift);
  a.li('a2', use);
  a.li('a3', mapPrivateAnonymous);
  a.li('a4', -1);
  a.li('a5', 0);
  systemCall(a, 'mmap');
  a.bgez('a0', mapped);
  printText(a, `${program}: no room for `);
  printDecimal(a, 's3');
  printText(a, ' pages');
  endLine(a);
  a.li('a0', 1);
  a.j('main.return');
  a.label(mapped);
  a.mv('s2', 'a0');
}

/** Prints that the page whose number is in the register does not hold what was written, and returns 1 from main. */
export function reportMismatch(a: Assembler, program: string, page: 's6' | 's9'): void {
  printText(a, `${program}: MISMATCH page `);
  printDecimal(a, page);
  endLine(a);
  a.li('a0', 1);
  a.j('main.return');
}

/** Prints how many pages (s3) were found to hold what was written. */
export function reportVerified(a: Assembler, program: string): void {
  printText(a, `${program}: verified `);
  printDecimal(a, 's3');
  printText(a, ' pages');
  endLine(a);
}
