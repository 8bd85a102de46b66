/**
 * How a workload learns that it shall end: SIGINT, SIGTERM, SIGUSR1, or a line typed on standard input. The end of
 * standard input is no request, so that a workload started in the background with /dev/null goes on.
 */
import type { Assembler } from '../assembler/assembler.ts';
import { nsPerMs, nsPerSecond, storeTimespec } from './clock.ts';
import { defineFunction, pollInput, reserveZeroed, signals, systemCall } from './linux.ts';

/** What `stop.flag` holds after a line was typed; after a signal it holds the signal's number. */
export const stopByLine = 1;

const ignoreSignal = 1;
const signalSetBytes = 8;

/**
 * Emits `stop.install()`, `stop.poll() -> a0 reason or 0` which never waits, and `stop.wait() -> a0 reason or 0`
 * which waits for up to a second.
 */
export function defineStopRequest(a: Assembler): void {
  reserveZeroed(a, 'stop.flag', 8);
  reserveZeroed(a, 'stop.input-ended', 8);
  defineInstall(a);
  definePoll(a);
  defineFunction(a, 'stop.poll', { saves: [] }, () => {
    a.li('a0', 0);
    a.call('stop.poll-until');
  });
  defineFunction(a, 'stop.wait', { saves: [] }, () => {
    a.li('a0', nsPerSecond);
    a.call('stop.poll-until');
  });
}

function defineInstall(a: Assembler): void {
  a.label('stop.handler');
  a.la('t0', 'stop.flag');
  a.sd('a0', 0, 't0');
  a.ret();
  defineFunction(a, 'stop.install', { saves: [], localBytes: 24 }, () => {
    a.la('t0', 'stop.handler');
    a.sd('t0', 0, 'sp');
    a.sd('zero', 8, 'sp');
    a.sd('zero', 16, 'sp');
    for (const signal of [signals.interrupt, signals.terminate, signals.user1]) setSignal(a, signal);
    // In the background of a terminal, reading then fails instead of stopping the program.
    a.li('t0', ignoreSignal);
    a.sd('t0', 0, 'sp');
    setSignal(a, signals.terminalInput);
  });
}

/** Takes the sigaction at the stack pointer: handler, flags, mask. */
function setSignal(a: Assembler, signal: number): void {
  a.li('a0', signal);
  a.mv('a1', 'sp');
  a.li('a2', 0);
  a.li('a3', signalSetBytes);
  systemCall(a, 'sigaction');
}

/** stop.poll-until(a0 ns to wait at most) -> a0 reason or 0; at the stack pointer: timespec, pollfd, input. */
function definePoll(a: Assembler): void {
  const inputBytes = 64;
  defineFunction(a, 'stop.poll-until', { saves: [], localBytes: 24 + inputBytes }, () => {
    a.la('t0', 'stop.flag');
    a.ld('t1', 0, 't0');
    a.bnez('t1', 'stop.poll-until.flag');
    storeTimespec(a);
    a.sw('zero', 16, 'sp');
    a.li('t0', pollInput);
    a.sw('t0', 20, 'sp');
    a.addi('a0', 'sp', 16);
    a.la('t0', 'stop.input-ended');
    a.ld('t0', 0, 't0');
    a.xori('a1', 't0', 1);
    a.mv('a2', 'sp');
    a.li('a3', 0);
    a.li('a4', signalSetBytes);
    systemCall(a, 'ppoll');
    a.li('t0', 1);
    a.blt('a0', 't0', 'stop.poll-until.flag');
    a.li('a0', 0);
    a.addi('a1', 'sp', 24);
    a.li('a2', inputBytes);
    systemCall(a, 'read');
    a.bltz('a0', 'stop.poll-until.unreadable');
    a.beqz('a0', 'stop.poll-until.ended');
    a.la('t0', 'stop.flag');
    a.li('t1', stopByLine);
    a.sd('t1', 0, 't0');
    a.j('stop.poll-until.flag');
    a.label('stop.poll-until.ended');
    a.la('t0', 'stop.input-ended');
    a.li('t1', 1);
    a.sd('t1', 0, 't0');
    a.j('stop.poll-until.flag');
    a.label('stop.poll-until.unreadable');
    // What is typed is for somebody else: do not spin on it.
    a.call('clock.now');
    a.li('t0', nsPerMs);
    a.add('a0', 'a0', 't0');
    a.call('clock.sleep-until');
    a.label('stop.poll-until.flag');
    a.la('t0', 'stop.flag');
    a.ld('a0', 0, 't0');
  });
}
