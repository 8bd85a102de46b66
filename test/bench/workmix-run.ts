/**
 * The measured work: the image's `workmix`, typed into the shell of a booted guest, between two marks on its console.
 * The same line is typed on every side.
 */
import { readyMarker } from '@skein/guests';
import type { ConsoleProcess } from './console-process.ts';

/** A busy machine takes several times what a quiet one does, and an interpreter several times what a translator. */
const bootDeadlineMs = 120_000;
const workDeadlineMs = 300_000;

export const workBegins = /^work-begins\r?\n/m;
/** All that must be equal on all sides; what follows it (`instret`) depends on the kernel's leave to count. */
export const workEnds = /^workmix: (iterations \d+ checksum [0-9a-f]{16})\b/m;
export const shellIsReady = new RegExp(`^${readyMarker} \\w+\\r?\\n[^]*# `, 'm');

/** The quotes keep the echo of what is typed from looking like the mark. */
export function workLine(iterations: number): string {
  return `echo work-"begins"; workmix ${iterations}`;
}

export interface WorkmixSample {
  /** From the start of the process to the guest's shell. */
  readonly bootMs: number;
  /** User CPU time of the whole process between the marks. */
  readonly userSeconds: number;
  readonly checksum: string;
}

/** Starts one side, measures it, ends it. */
export async function measureWorkmix(
  start: () => ConsoleProcess,
  iterations: number,
): Promise<WorkmixSample> {
  const startedAt = performance.now();
  const guest = start();
  try {
    await guest.waitFor(shellIsReady, bootDeadlineMs);
    const bootMs = performance.now() - startedAt;
    const offset = guest.consoleLength;
    guest.type(workLine(iterations));
    await guest.waitFor(workBegins, workDeadlineMs, offset);
    const userSecondsBefore = guest.userSeconds();
    const end = await guest.waitFor(workEnds, workDeadlineMs, offset);
    const userSeconds = guest.userSeconds() - userSecondsBefore;
    return { bootMs, userSeconds, checksum: end[1] ?? '' };
  } finally {
    await guest.kill();
  }
}
