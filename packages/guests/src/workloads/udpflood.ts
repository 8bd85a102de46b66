/**
 * `udpflood ADDRESS PORT`: numbered datagrams (datagram.ts) as fast as the kernel takes them, until a signal or a line on
 * standard input ends it. What the network refuses counts as sent: it is lost.
 */
import type { Assembler } from '../assembler/assembler.ts';
import { defineStart, defineUsageNear } from './arguments.ts';
import { defineClock } from './clock.ts';
import { defineDatagram } from './datagram.ts';
import { defineParseIpv4Address } from './ipv4-address.ts';
import { defineFunction, systemCall } from './linux.ts';
import { defineRateReport } from './rate-report.ts';
import { defineStopRequest } from './stop-request.ts';
import { defineTextOutput, endLine, printDecimal, printText } from './text-output.ts';
import { emitRefusal, openSocket, socketAddressBytes } from './udp-socket.ts';

/** The clock and requests to stop are looked at after so many. */
const datagramsPerTurn = 32;

// Registers of main, kept through all calls: s2 socket, s4 sent, s8 turn's end.

export function emitUdpflood(a: Assembler): void {
  defineStart(a, { usage: 'usage: udpflood ADDRESS PORT', argumentsMin: 2, argumentsMax: 2 });
  defineUsageNear(a);
  defineFunction(a, 'main', { saves: [], localBytes: socketAddressBytes }, () => {
    a.ld('a0', 8, 's1');
    a.call('address.parse');
    a.beqz('a1', 'usage.near');
    openSocket(a, { portArgument: 2, call: 'connect', isWaiting: true });
    a.call('stop.install');
    a.call('clock.now');
    a.call('report.begin');
    a.li('s4', 0);
    a.label('udpflood.turn');
    a.addi('s8', 's4', datagramsPerTurn);
    a.label('udpflood.next');
    a.mv('a0', 's4');
    a.call('datagram.make');
    a.mv('a2', 'a0');
    a.mv('a0', 's2');
    a.la('a1', 'datagram.buffer');
    systemCall(a, 'write');
    a.addi('s4', 's4', 1);
    a.bne('s4', 's8', 'udpflood.next');
    a.call('clock.now');
    a.mv('a1', 'a0');
    a.mv('a0', 's4');
    a.call('report.rate');
    a.call('stop.poll');
    a.beqz('a0', 'udpflood.turn');
    printText(a, 'udpflood: sent ');
    printDecimal(a, 's4');
    endLine(a);
    a.li('a0', 0);
    a.j('main.return');
    emitRefusal(a, 'udpflood');
  });
  defineDatagram(a);
  defineParseIpv4Address(a);
  defineStopRequest(a);
  defineRateReport(a, 'udpflood');
  defineClock(a);
  defineTextOutput(a);
}
