/**
 * Numbered datagrams of udpflood and udpsink: length and every word follow from the number, so that one that was cut, mixed
 * up with another or changed on its way is none. Source: RFC 768 for what carries them.
 *   0  u64  number, from 0
 *   8  u64  words, a rising sequence that begins with a mix of the number
 */
import type { Assembler } from '../assembler/assembler.ts';
import { reserveZeroed } from './linux.ts';

/** 64 to 1,472 bytes: all that an Ethernet frame takes. */
const wordsMin = 8;
const wordsMax = 184;
export const datagramBytesMax = wordsMax * 8;

// Odd 64-bit constants with well-spread bits (from splitmix64).
const numberMix = 0x9e37_79b9_7f4a_7c15n;
const wordStep = 0x94d0_49bb_1331_11ebn;

/**
 * Emits `datagram.make(a0 number) -> a0 bytes` into the label datagram.buffer, and `datagram.check(a0 bytes) -> a0 number,
 * a1 1 if what stands there is a whole datagram`.
 */
export function defineDatagram(a: Assembler): void {
  // One byte more than the longest has room for: a longer one shows.
  reserveZeroed(a, 'datagram.buffer', datagramBytesMax + 8);
  a.label('datagram.make');
  a.la('t0', 'datagram.buffer');
  a.sd('a0', 0, 't0');
  emitShape(a);
  a.label('datagram.make-word');
  a.addi('t0', 't0', 8);
  a.sd('t1', 0, 't0');
  a.add('t1', 't1', 't2');
  a.bne('t0', 't3', 'datagram.make-word');
  a.mv('a0', 't4');
  a.ret();
  a.label('datagram.check');
  a.mv('t5', 'a0');
  a.li('a1', 0);
  a.la('t0', 'datagram.buffer');
  a.ld('a0', 0, 't0');
  emitShape(a);
  a.bne('t4', 't5', 'datagram.checked');
  a.label('datagram.check-word');
  a.addi('t0', 't0', 8);
  a.ld('t6', 0, 't0');
  a.bne('t6', 't1', 'datagram.checked');
  a.add('t1', 't1', 't2');
  a.bne('t0', 't3', 'datagram.check-word');
  a.li('a1', 1);
  a.label('datagram.checked');
  a.ret();
}

/** Of number a0 at t0: t1 becomes its first word, t2 the step, t3 where its last word stands, t4 its bytes. */
function emitShape(a: Assembler): void {
  a.li('t1', numberMix);
  a.mul('t1', 't1', 'a0');
  a.srli('t2', 't1', 31);
  a.xor('t1', 't1', 't2');
  a.li('t2', wordsMax - wordsMin + 1);
  a.remu('t4', 'a0', 't2');
  a.addi('t4', 't4', wordsMin);
  a.slli('t4', 't4', 3);
  a.add('t3', 't0', 't4');
  a.addi('t3', 't3', -8);
  a.li('t2', wordStep);
}
