/**
 * `renew EPOCH_US <ENTROPY`: makes a guest that was cloned from a template one of its own. What is on standard input,
 * hexadecimal digits from the host, is credited to the kernel's random generator, which is then seeded anew: without
 * that, all clones of a template would go on with the same random numbers. Then the wall clock is set.
 * Source: random(4) and linux/random.h (RNDADDENTROPY, RNDRESEEDCRNG); clock_settime(2).
 */
import type { Assembler } from '../assembler/assembler.ts';
import { defineStart, defineUsageNear, requiredNumber } from './arguments.ts';
import { clockRealtime, defineFunction, reserveZeroed, systemCall } from './linux.ts';

/** 512 bits: twice what the generator's key has. */
const entropyDigitsMax = 128;
const bitsOfDigit = 4;
/** struct rand_pool_info: entropy in bits and length in bytes, both 32 bits wide, then the bytes. */
const poolInfoHeadBytes = 8;
const addEntropy = 0x4008_5203;
const reseedGenerator = 0x5207;
const currentFolder = -100;
const usPerSecond = 1_000_000;
const nsPerUs = 1000;

export function emitRenew(a: Assembler): void {
  defineStart(a, { usage: 'usage: renew EPOCH_US <ENTROPY', argumentsMin: 1, argumentsMax: 1 });
  defineUsageNear(a);
  reserveZeroed(a, 'renew.pool', poolInfoHeadBytes + entropyDigitsMax);
  reserveZeroed(a, 'renew.time', 16);
  defineFunction(a, 'main', { saves: [] }, () => {
    const [now, length, random] = ['s2', 's3', 's4'] as const;
    requiredNumber(a, 1, now, 1);
    readEntropy(a, length);
    a.li('a0', currentFolder);
    a.la('a1', a.literal('/dev/random\0'));
    a.li('a2', 0);
    a.li('a3', 0);
    systemCall(a, 'openat');
    a.bltz('a0', 'renew.failed');
    a.mv(random, 'a0');
    a.la('t0', 'renew.pool');
    // The end of the line is no digit; without any digit the kernel refuses.
    a.addi('t2', length, -1);
    a.li('t1', bitsOfDigit);
    a.mul('t1', 't1', 't2');
    a.sw('t1', 0, 't0');
    a.sw(length, 4, 't0');
    for (const request of [addEntropy, reseedGenerator]) {
      a.mv('a0', random);
      a.li('a1', request);
      a.la('a2', 'renew.pool');
      systemCall(a, 'ioctl');
      a.bltz('a0', 'renew.failed');
    }
    setClock(a, now);
    a.bltz('a0', 'renew.failed');
    a.li('a0', 0);
    a.j('main.return');
    a.label('renew.failed');
    a.li('a0', 1);
  });
}

/** Until the end of the input, or until the pool is full. */
function readEntropy(a: Assembler, length: 's3'): void {
  a.li(length, 0);
  a.label('renew.read');
  a.li('a0', 0);
  a.la('a1', 'renew.pool');
  a.addi('a1', 'a1', poolInfoHeadBytes);
  a.add('a1', 'a1', length);
  a.li('a2', entropyDigitsMax);
  a.sub('a2', 'a2', length);
  a.beqz('a2', 'renew.read.end');
  systemCall(a, 'read');
  a.bltz('a0', 'renew.failed');
  a.add(length, length, 'a0');
  a.bnez('a0', 'renew.read');
  a.label('renew.read.end');
}

function setClock(a: Assembler, now: 's2'): void {
  a.la('a1', 'renew.time');
  a.li('t0', usPerSecond);
  a.divu('t1', now, 't0');
  a.sd('t1', 0, 'a1');
  a.remu('t1', now, 't0');
  a.li('t0', nsPerUs);
  a.mul('t1', 't1', 't0');
  a.sd('t1', 8, 'a1');
  a.li('a0', clockRealtime);
  systemCall(a, 'clockSettime');
}
