/**
 * `pinger ADDRESS INTERVAL_MS [COUNT]`: an ICMP echo request at each exact absolute deadline; a line
 * `p <seq> <round trip us> <CLOCK_MONOTONIC ns>` for each reply, and at the end how many were sent, received and lost
 * and the longest gap between two replies. Ends after COUNT, on a signal or on a line typed. Needs root (raw socket).
 * Source: RFC 792, "Echo or Echo Reply Message"; RFC 1071. Omitted: IPv6, names.
 */
import type { Assembler } from '../assembler/assembler.ts';
import { defineStart, defineUsageNear, optionalNumber, requiredNumber } from './arguments.ts';
import { awaitInput } from './await-input.ts';
import { defineClock, nsPerMs, nsPerSecond } from './clock.ts';
import { defineEchoPacket, echoBytes } from './echo-packet.ts';
import { defineParseIpv4Address, inet } from './ipv4-address.ts';
import { defineFunction, systemCall } from './linux.ts';
import { defineStopRequest } from './stop-request.ts';
import { defineTextOutput, endLine, printDecimal, printText } from './text-output.ts';

const socketRaw = 3;
const protocolIcmp = 1;
/** After the last request, replies are awaited this long. */
const graceNs = nsPerSecond;
const nsPerUs = 1000;

// Registers of main, kept through all calls: s2 socket, s3 interval ns, s4 count or 0, s5 requests sent, s6 replies,
// s7 next deadline, s8 ns of the last reply or 0, s9 longest gap ns, s10 now, s11 sequence number of a reply.
const localBytes = 16 + 8;

export function emitPinger(a: Assembler): void {
  defineStart(a, {
    usage: 'usage: pinger ADDRESS INTERVAL_MS [COUNT]',
    argumentsMin: 2,
    argumentsMax: 3,
  });
  defineUsageNear(a);
  defineFunction(a, 'main', { saves: [], localBytes }, () => {
    emitSetUp(a);
    a.label('pinger.turn');
    a.call('stop.poll');
    a.bnez('a0', 'pinger.end');
    a.call('clock.now');
    a.mv('s10', 'a0');
    a.bltu('s10', 's7', 'pinger.not-due');
    a.bnez('s4', 'pinger.counted');
    a.label('pinger.send');
    emitSend(a);
    a.j('pinger.turn');
    a.label('pinger.counted');
    a.bltu('s5', 's4', 'pinger.send');
    // The deadline after the last request's is the end of the grace.
    a.j('pinger.end');
    a.label('pinger.not-due');
    a.sub('t0', 's5', 's4');
    a.bnez('t0', 'pinger.wait');
    a.beq('s5', 's6', 'pinger.end');
    a.label('pinger.wait');
    emitWait(a);
    a.j('pinger.turn');
    a.label('pinger.end');
    emitSummary(a);
  });
  defineReceive(a);
  defineEchoPacket(a);
  defineParseIpv4Address(a);
  defineStopRequest(a);
  defineClock(a);
  defineTextOutput(a);
}

function emitSetUp(a: Assembler): void {
  requiredNumber(a, 2, 's3', 1);
  optionalNumber(a, 3, 's4', { min: 1, absent: 0 });
  a.li('t0', nsPerMs);
  a.mul('s3', 's3', 't0');
  a.ld('a0', 8, 's1');
  a.call('address.parse');
  a.beqz('a1', 'usage.near');
  a.li('t0', inet);
  a.sd('zero', 8, 'sp');
  a.sw('t0', 0, 'sp');
  a.sw('a0', 4, 'sp');
  a.li('a0', inet);
  a.li('a1', socketRaw);
  a.li('a2', protocolIcmp);
  systemCall(a, 'socket');
  a.bltz('a0', 'pinger.refused');
  a.mv('s2', 'a0');
  // A connected raw socket hands over only what comes from this address.
  a.mv('a1', 'sp');
  a.li('a2', 16);
  systemCall(a, 'connect');
  a.bgez('a0', 'pinger.ready');
  a.label('pinger.refused');
  a.sub('s3', 'zero', 'a0');
  printText(a, 'pinger: no raw socket to this address, error ');
  printDecimal(a, 's3');
  endLine(a);
  a.li('a0', 1);
  a.j('main.return');
  a.label('pinger.ready');
  a.call('stop.install');
  for (const register of ['s5', 's6', 's8', 's9'] as const) a.li(register, 0);
  a.call('clock.now');
  a.mv('s7', 'a0');
}

/** A request that the network refuses counts as sent: it is lost. */
function emitSend(a: Assembler): void {
  a.addi('s5', 's5', 1);
  a.mv('a0', 's5');
  a.mv('a1', 's10');
  a.call('echo.make');
  a.mv('a1', 'a0');
  a.mv('a0', 's2');
  a.li('a2', echoBytes);
  systemCall(a, 'write');
  a.add('s7', 's7', 's3');
  a.bne('s5', 's4', 'pinger.sent');
  a.li('t0', graceNs);
  a.add('s7', 's10', 't0');
  a.label('pinger.sent');
}

/** Waits for a reply or the next deadline; at the stack pointer: timespec, pollfd. */
function emitWait(a: Assembler): void {
  a.sub('a0', 's7', 's10');
  awaitInput(a);
  a.li('t0', 1);
  a.blt('a0', 't0', 'pinger.nothing-came');
  a.call('pinger.receive');
  a.label('pinger.nothing-came');
}

/** Takes one packet; when it answers a request of ours for the first time, counts and prints it. */
function defineReceive(a: Assembler): void {
  defineFunction(a, 'pinger.receive', { saves: [] }, () => {
    a.mv('a0', 's2');
    a.la('a1', 'echo.received');
    a.li('a2', receiveBytes);
    systemCall(a, 'read');
    a.mv('a1', 's5');
    a.call('echo.match');
    a.beqz('a0', 'pinger.receive.return');
    a.mv('s11', 'a0');
    a.mv('t5', 'a1');
    a.la('t0', 'pinger.sent-at');
    a.sd('t5', 0, 't0');
    a.addi('s6', 's6', 1);
    a.call('clock.now');
    a.mv('s10', 'a0');
    a.beqz('s8', 'pinger.first-reply');
    a.sub('t0', 's10', 's8');
    a.bgeu('s9', 't0', 'pinger.first-reply');
    a.mv('s9', 't0');
    a.label('pinger.first-reply');
    a.mv('s8', 's10');
    printText(a, 'p ');
    printDecimal(a, 's11');
    printText(a, ' ');
    a.la('t0', 'pinger.sent-at');
    a.ld('t0', 0, 't0');
    a.sub('t0', 's10', 't0');
    a.li('t1', nsPerUs);
    a.divu('a0', 't0', 't1');
    a.call('output.decimal');
    printText(a, ' ');
    printDecimal(a, 's10');
    endLine(a);
  });
  a.section('bss');
  a.align(16);
  a.label('pinger.sent-at');
  a.space(8);
  a.label('echo.received');
  a.space(receiveBytes);
  a.section('text');
}

/** Room for the longest IPv4 header before the packet. */
const receiveBytes = 256;

/** Returns 0 from main if there was any reply, else 1. */
function emitSummary(a: Assembler): void {
  printText(a, 'pinger: sent ');
  printDecimal(a, 's5');
  printText(a, ' received ');
  printDecimal(a, 's6');
  printText(a, ' lost ');
  a.sub('s11', 's5', 's6');
  printDecimal(a, 's11');
  printText(a, ' longest gap ');
  a.li('t0', nsPerUs);
  a.divu('s11', 's9', 't0');
  printDecimal(a, 's11');
  printText(a, ' us');
  endLine(a);
  a.sltiu('a0', 's6', 1);
}
