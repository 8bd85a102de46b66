/** Random fragments that touch memory: loads and stores of all widths, atomics, reservations. */
import type { Mnemonic, XRegister } from '@skein/guests';
import type { Random } from '../random.ts';
import type { Fragment } from '../test-program.ts';
import {
  addressRegisters,
  anyAddressRegister,
  anyDestination,
  anyFloat,
  anySource,
  nonzeroDestination,
  shortDestination,
  shortSource,
} from './register-choice.ts';

const loads: readonly Mnemonic[] = ['lb', 'lh', 'lw', 'ld', 'lbu', 'lhu', 'lwu'];
const stores: readonly Mnemonic[] = ['sb', 'sh', 'sw', 'sd'];
const atomics = [
  'amoswap',
  'amoadd',
  'amoxor',
  'amoand',
  'amoor',
  'amomin',
  'amomax',
  'amominu',
  'amomaxu',
] as const;
const orders = ['', 'aq', 'rl', 'aqrl'] as const;

/** Near the bounds of pages now and then: address registers stand close to one. */
const offset = (random: Random): number =>
  random.oneIn(3)
    ? random.between(-2048, 2047)
    : random.between(-32, 31) * 8 + (random.oneIn(4) ? random.between(0, 7) : 0);

export function loadOrStore(random: Random): Fragment {
  const base = anyAddressRegister(random);
  // Where nothing answers QEMU reports the start of the aligned word instead of the address.
  const at = base === 's3' ? random.between(-8, 7) * 8 : offset(random);
  switch (random.between(0, 6)) {
    case 0:
    case 1: {
      const mnemonic = random.pick(loads);
      const rd = anyDestination(random);
      return (a) => a.emit(mnemonic, [rd, at, base]);
    }
    case 2:
    case 3: {
      const mnemonic = random.pick(stores);
      const source = anySource(random);
      return (a) => a.emit(mnemonic, [source, at, base]);
    }
    case 4: {
      const mnemonic = random.pick(['flw', 'fld', 'fsw', 'fsd'] as const);
      const float = anyFloat(random);
      return (a) => a.emit(mnemonic, [float, at, base]);
    }
    default:
      return compressedLoadOrStore(random);
  }
}

function compressedLoadOrStore(random: Random): Fragment {
  const base = random.pick(['s0', 's1'] as const);
  const [word, double] = [random.between(0, 31) * 4, random.between(0, 31) * 8];
  const [stackWord, stackDouble] = [random.between(0, 63) * 4, random.between(0, 63) * 8];
  const [short, source] = [shortDestination(random), shortSource(random)];
  const rd = nonzeroDestination(random);
  const any = anySource(random);
  const float = anyFloat(random);
  const forms: readonly Fragment[] = [
    (a) => a.cLw(short, word, base),
    (a) => a.cLd(short, double, base),
    (a) => a.cSw(source, word, base),
    (a) => a.cSd(source, double, base),
    (a) => a.cFld('fa3', double, base),
    (a) => a.cFsd('fs1', double, base),
    (a) => a.cLwsp(rd, stackWord),
    (a) => a.cLdsp(rd, stackDouble),
    (a) => a.cSwsp(any, stackWord),
    (a) => a.cSdsp(any, stackDouble),
    (a) => a.cFldsp(float, stackDouble),
    (a) => a.cFsdsp(float, stackDouble),
  ];
  return random.pick(forms);
}

/** A read-modify-write somewhere in the data; misaligned now and then, which atomics do not allow. */
export function atomic(random: Random): Fragment {
  const width = random.pick(['w', 'd'] as const);
  const mnemonic: Mnemonic = `${random.pick(atomics)}.${width}`;
  const rd = anyDestination(random);
  const source = anySource(random);
  const order = random.pick(orders);
  const prepare = atomicAddress(random, random.oneIn(8));
  return (a) => {
    prepare(a);
    a.emit(mnemonic, [rd, source, 't6', order]);
  };
}

/**
 * A reservation and what becomes of it. A store-conditional follows its load-reserved at once, or goes to another
 * place than the last one: whether others succeed is up to the machine.
 */
export function reservation(random: Random): Fragment {
  const width = random.pick(['w', 'd'] as const);
  const prepare = atomicAddress(random, false);
  const loaded = random.pick(['a0', 'a1', 't1'] as const);
  const result = random.pick(['a2', 't2', 'zero'] as const);
  const order = random.pick(orders);
  const isMissed = random.oneIn(4);
  const isTwice = random.oneIn(4);
  const modify = random.pick(['add', 'xor', 'sub'] as const);
  const isAgain = random.oneIn(3);
  return (a) => {
    prepare(a);
    const again = a.fresh('again');
    a.label(again);
    a.emit(`lr.${width}`, [loaded, 't6', order]);
    a.emit(modify, ['t5', loaded, 't6']);
    if (isMissed) a.addi('t6', 't6', 64);
    a.emit(`sc.${width}`, [result, 't5', 't6', order]);
    // As programs write it; nobody else is here to make it fail, but another place (or x0, which never tells).
    if (isAgain && !isMissed) a.bnez(result, again);
    // The first one took the reservation with it.
    if (isTwice) a.emit(`sc.${width}`, ['a3', 't5', 't6']);
  };
}

/** Reservations are for aligned words only. */
export function misalignedReservation(random: Random): Fragment {
  const prepare = atomicAddress(random, true);
  const rd = anyDestination(random);
  return (a) => {
    prepare(a);
    a.ori('t6', 't6', 1);
    a.lrW(rd, 't6');
  };
}

function atomicAddress(random: Random, isMisaligned: boolean): Fragment {
  const base: XRegister = random.oneIn(10)
    ? random.pick(['s3', 's4'] as const)
    : random.pick(addressRegisters);
  const at = random.between(-64, 63) * 8 + (isMisaligned ? random.between(1, 7) : 0);
  return (a) => {
    a.addi('t6', base, at);
    if (isMisaligned) return;
    a.andi('t6', 't6', -8);
  };
}
