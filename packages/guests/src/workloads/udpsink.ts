/**
 * `udpsink PORT`: takes the datagrams of one udpflood and says once a second, and when a signal or a line on standard input
 * ends it, how many came (each counted once), were lost, came after a later one, came again, and were not whole. Exits with
 * 1 if any came again or was not whole: a network may lose and, at worst, reorder.
 */
import type { Assembler } from '../assembler/assembler.ts';
import { defineStart, defineUsageNear } from './arguments.ts';
import { awaitInput } from './await-input.ts';
import { defineClock, nsPerMs, nsPerSecond } from './clock.ts';
import { datagramBytesMax, defineDatagram } from './datagram.ts';
import { defineFunction, reserveZeroed, systemCall } from './linux.ts';
import { defineStopRequest } from './stop-request.ts';
import { defineTextOutput, endLine, printDecimal, printText } from './text-output.ts';
import { emitRefusal, openSocket, socketAddressBytes } from './udp-socket.ts';

/** So many of the last numbers are known: one that comes again later than that counts as late. */
const seenShift = 16;
/** The clock and requests to stop are looked at after so many, or when there is nothing to read. */
const datagramsPerTurn = 32;
const quietMs = 20;

// Registers of main, kept through all calls: s2 socket, s3 received, s4 the number after the highest, s5 late, s6 again, s7
// not whole, s8 left of this turn, s9 ns of the last report, s11 now.

export function emitUdpsink(a: Assembler): void {
  defineStart(a, { usage: 'usage: udpsink PORT', argumentsMin: 1, argumentsMax: 1 });
  defineUsageNear(a);
  reserveZeroed(a, 'udpsink.seen', 8 << seenShift);
  defineFunction(a, 'main', { saves: [], localBytes: socketAddressBytes + 8 }, () => {
    a.li('a0', 0);
    openSocket(a, { portArgument: 1, call: 'bind', isWaiting: false });
    a.call('stop.install');
    for (const register of ['s3', 's4', 's5', 's6', 's7', 's9'] as const) a.li(register, 0);
    a.label('udpsink.turn');
    a.call('stop.poll');
    a.bnez('a0', 'udpsink.end');
    a.call('clock.now');
    a.mv('s11', 'a0');
    a.sub('t0', 's11', 's9');
    a.li('t1', nsPerSecond);
    a.bltu('t0', 't1', 'udpsink.reported');
    a.mv('s9', 's11');
    a.call('udpsink.report');
    a.label('udpsink.reported');
    a.li('s8', datagramsPerTurn);
    a.label('udpsink.next');
    emitReceive(a);
    a.addi('s8', 's8', -1);
    a.bnez('s8', 'udpsink.next');
    a.j('udpsink.turn');
    a.label('udpsink.nothing');
    emitWait(a);
    a.j('udpsink.turn');
    a.label('udpsink.end');
    a.call('udpsink.report');
    a.add('a0', 's6', 's7');
    a.sltu('a0', 'zero', 'a0');
    a.j('main.return');
    emitRefusal(a, 'udpsink');
  });
  defineReport(a);
  defineDatagram(a);
  defineStopRequest(a);
  defineClock(a);
  defineTextOutput(a);
}

/** One datagram, to one of the counts. */
function emitReceive(a: Assembler): void {
  a.mv('a0', 's2');
  a.la('a1', 'datagram.buffer');
  a.li('a2', datagramBytesMax + 8);
  systemCall(a, 'read');
  a.bltz('a0', 'udpsink.nothing');
  a.call('datagram.check');
  a.bnez('a1', 'udpsink.whole');
  a.addi('s7', 's7', 1);
  a.j('udpsink.counted');
  a.label('udpsink.whole');
  // One more than the number: none is 0.
  a.addi('t1', 'a0', 1);
  a.slli('t0', 'a0', 64 - seenShift);
  a.srli('t0', 't0', 64 - seenShift - 3);
  a.la('t2', 'udpsink.seen');
  a.add('t2', 't2', 't0');
  a.ld('t0', 0, 't2');
  a.bne('t0', 't1', 'udpsink.new');
  a.addi('s6', 's6', 1);
  a.j('udpsink.counted');
  a.label('udpsink.new');
  a.addi('s3', 's3', 1);
  a.bltu('a0', 's4', 'udpsink.late');
  a.sd('t1', 0, 't2');
  a.mv('s4', 't1');
  a.j('udpsink.counted');
  a.label('udpsink.late');
  a.addi('s5', 's5', 1);
  // Its place may be a later one's by now.
  a.bltu('t1', 't0', 'udpsink.counted');
  a.sd('t1', 0, 't2');
  a.label('udpsink.counted');
}

/** At the stack pointer: timespec, pollfd. */
function emitWait(a: Assembler): void {
  a.li('a0', quietMs * nsPerMs);
  awaitInput(a);
}

function defineReport(a: Assembler): void {
  defineFunction(a, 'udpsink.report', { saves: ['s0'] }, () => {
    printText(a, 'udpsink: received ');
    printDecimal(a, 's3');
    printText(a, ' lost ');
    a.sub('s0', 's4', 's3');
    printDecimal(a, 's0');
    for (const [name, count] of [
      [' late ', 's5'],
      [' again ', 's6'],
      [' broken ', 's7'],
    ] as const) {
      printText(a, name);
      printDecimal(a, count);
    }
    endLine(a);
  });
}
