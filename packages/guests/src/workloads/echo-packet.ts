/**
 * ICMP echo requests of the pinger, and which received packets answer one of them for the first time. When each was
 * sent is kept here and not read back from the packet: nothing that comes from the network is believed.
 * Source: RFC 792, "Echo or Echo Reply Message"; RFC 1071, "Introduction" (the checksum).
 */
import type { Assembler } from '../assembler/assembler.ts';
import { defineFunction, reserveZeroed, systemCall } from './linux.ts';

const headerBytes = 8;
/** Header, magic and 64-bit sequence number, zeroes to the size of the usual ping. */
export const echoBytes = 64;
const payloadUsedBytes = 16;
const ipHeaderBytesMin = 20;
const typeRequest = 8;
/** 'skeinpng', so that another ping's replies are not ours. */
const magic = 0x676e_706e_6965_6b73n;
/** Times of the last 2^12 requests are kept: a reply later than that is lost. */
export const sentRingShift = 12;
const sentRingSize = 2 ** sentRingShift;

/**
 * Emits `echo.make(a0 seq, a1 now ns) -> a0 packet` and `echo.match(a0 received bytes, a1 seq of the last request) ->
 * a0 seq or 0, a1 ns when that was sent`, which looks at the packet at the label echo.received.
 */
export function defineEchoPacket(a: Assembler): void {
  reserveZeroed(a, 'echo.packet', echoBytes);
  reserveZeroed(a, 'echo.sent', sentRingSize * 8);
  defineMake(a);
  defineMatch(a);
}

function defineMake(a: Assembler): void {
  defineFunction(a, 'echo.make', { saves: ['s0'] }, () => {
    a.mv('s0', 'a0');
    emitRingSlot(a, 's0');
    a.sd('a1', 0, 't0');
    systemCall(a, 'getpid');
    a.la('t0', 'echo.packet');
    a.li('t1', typeRequest);
    a.sw('t1', 0, 't0');
    a.sh('a0', 4, 't0');
    // Network order, as other tools show it.
    a.srli('t1', 's0', 8);
    a.sb('t1', 6, 't0');
    a.sb('s0', 7, 't0');
    a.li('t1', magic);
    a.sd('t1', headerBytes, 't0');
    a.sd('s0', headerBytes + 8, 't0');
    emitChecksum(a);
    a.sh('t1', 2, 't0');
    a.mv('a0', 't0');
  });
}

/** t1 becomes the checksum of the packet at t0. Changes t2 to t4. */
function emitChecksum(a: Assembler): void {
  const next = a.fresh('echo.sum');
  a.li('t1', 0);
  a.mv('t2', 't0');
  a.addi('t3', 't0', echoBytes);
  a.label(next);
  a.lhu('t4', 0, 't2');
  a.add('t1', 't1', 't4');
  a.addi('t2', 't2', 2);
  a.bne('t2', 't3', next);
  for (let fold = 0; fold < 2; fold++) {
    a.srli('t2', 't1', 16);
    a.slli('t1', 't1', 48);
    a.srli('t1', 't1', 48);
    a.add('t1', 't1', 't2');
  }
  a.xori('t1', 't1', -1);
}

function defineMatch(a: Assembler): void {
  defineFunction(a, 'echo.match', { saves: ['s0', 's1', 's2'] }, () => {
    a.mv('s0', 'a0');
    a.mv('s1', 'a1');
    systemCall(a, 'getpid');
    a.mv('t5', 'a0');
    a.li('a0', 0);
    a.la('t0', 'echo.received');
    a.lbu('t1', 0, 't0');
    a.andi('t1', 't1', 15);
    a.slli('t1', 't1', 2);
    a.li('t2', ipHeaderBytesMin);
    a.blt('t1', 't2', 'echo.match.return');
    a.addi('t2', 't1', headerBytes + payloadUsedBytes);
    a.blt('s0', 't2', 'echo.match.return');
    a.add('t0', 't0', 't1');
    // Type and code of an echo reply are both 0.
    a.lhu('t1', 0, 't0');
    a.bnez('t1', 'echo.match.return');
    a.lhu('t1', 4, 't0');
    a.slli('t5', 't5', 48);
    a.srli('t5', 't5', 48);
    a.bne('t1', 't5', 'echo.match.return');
    a.addi('t0', 't0', headerBytes);
    emitUnalignedLoad(a);
    a.li('t2', magic);
    a.bne('t1', 't2', 'echo.match.return');
    a.addi('t0', 't0', 8);
    emitUnalignedLoad(a);
    a.mv('s2', 't1');
    a.beqz('s2', 'echo.match.return');
    a.bltu('s1', 's2', 'echo.match.return');
    a.sub('t1', 's1', 's2');
    a.li('t2', sentRingSize);
    a.bgeu('t1', 't2', 'echo.match.return');
    emitRingSlot(a, 's2');
    // A time that was taken already: the network doubled the reply.
    a.ld('a1', 0, 't0');
    a.beqz('a1', 'echo.match.return');
    a.sd('zero', 0, 't0');
    a.mv('a0', 's2');
  });
}

/** t0 becomes the address of the time of this request. Changes t1. */
function emitRingSlot(a: Assembler, sequence: 's0' | 's2'): void {
  a.slli('t1', sequence, 64 - sentRingShift);
  a.srli('t1', 't1', 64 - sentRingShift - 3);
  a.la('t0', 'echo.sent');
  a.add('t0', 't0', 't1');
}

/** t1 becomes the 64 bits at t0, which follow headers of any length. Changes t2. */
function emitUnalignedLoad(a: Assembler): void {
  a.lwu('t1', 0, 't0');
  a.lwu('t2', 4, 't0');
  a.slli('t2', 't2', 32);
  a.or('t1', 't1', 't2');
}
