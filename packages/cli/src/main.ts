/**
 * Entry of `skein`. Nothing else is imported before Node's version is known to be right, so that an old Node gets one
 * clear sentence and not a syntax error from somewhere. (A Node that cannot read TypeScript at all is told by
 * ../skein.mjs.)
 */
import { complaintAboutNode } from './node-version.ts';

const complaint = complaintAboutNode(process.version);
if (complaint === null) {
  // Half of a short command's time is spent on reading the same modules again.
  const { enableCompileCache } = await import('node:module');
  enableCompileCache();
  const { runProgram } = await import('./program.ts');
  process.exitCode = await runProgram(process.argv.slice(2));
} else {
  process.stderr.write(`skein: ${complaint}\n`);
  process.exitCode = 2;
}
