/**
 * Test tool: operands worth trying. Corner values of a format, and random ones from a seed, skewed towards
 * what breaks arithmetic: near the ends of the range, sparse and dense fractions, neighbours, halfway cases.
 */
import { type BinaryFormat, infinityBits } from './reference-value.ts';

/** Both signs of zeros, subnormals, powers of two and their neighbours, halves, limits, infinities and NaNs. */
export function cornerValues(format: BinaryFormat): bigint[] {
  const { fractionBits, exponentMax: bias } = format;
  const power = (exponent: bigint) => (exponent + bias) << fractionBits;
  const normalMin = 1n << fractionBits;
  const infinity = infinityBits(0n, format);
  const quietBit = 1n << (fractionBits - 1n);
  const halves = [
    power(0n) | quietBit,
    power(1n) | (quietBit >> 1n),
    power(1n) | (quietBit >> 1n) | quietBit,
  ];
  const magnitudes = [
    ...[
      0n,
      1n,
      2n,
      3n,
      quietBit,
      normalMin - 1n,
      normalMin,
      normalMin + 1n,
      2n * normalMin - 1n,
      2n * normalMin,
    ],
    ...[power(-fractionBits), power(-fractionBits - 1n), power(-fractionBits - 1n) + 1n],
    ...[power(-1n) - 1n, power(-1n), power(-1n) + 1n],
    ...[power(0n) - 1n, power(0n), power(0n) + 1n, power(0n) + 2n, power(1n), ...halves],
    ...[
      power(fractionBits) - 1n,
      power(fractionBits),
      power(fractionBits) + 1n,
      power(fractionBits + 1n) - 1n,
    ],
    ...[31n, 32n, 63n, 64n].flatMap((exponent) => [
      power(exponent) - 1n,
      power(exponent),
      power(exponent) + 1n,
    ]),
    ...[infinity - normalMin, infinity - 2n, infinity - 1n, infinity],
    ...[infinity + 1n, infinity + quietBit - 1n, infinity + quietBit, infinity + 2n * quietBit - 1n],
  ];
  const sign = 1n << (format.width - 1n);
  return magnitudes.flatMap((magnitude) => [magnitude, magnitude | sign]);
}

/** A reproducible source of operands (xorshift128 by Marsaglia). */
export class OperandSource {
  readonly #state: Uint32Array;

  constructor(seed: number) {
    this.#state = Uint32Array.of(seed, 362_436_069, 521_288_629, 88_675_123);
    for (let warmUp = 0; warmUp < 20; warmUp++) this.next32();
  }

  next32(): number {
    const [x = 0, y = 0, z = 0, w = 0] = this.#state;
    const mixed = x ^ (x << 11);
    const next = w ^ (w >>> 19) ^ mixed ^ (mixed >>> 8);
    this.#state.set([y, z, w, next]);
    return next >>> 0;
  }

  below(limit: number): number {
    return this.next32() % limit;
  }

  bits64(): bigint {
    return (BigInt(this.next32()) << 32n) | BigInt(this.next32());
  }

  pick<Item>(items: readonly Item[]): Item {
    const item = items[this.below(items.length)];
    if (item === undefined) throw new RangeError('nothing to pick from');
    return item;
  }

  float(format: BinaryFormat): bigint {
    const { fractionBits, exponentMax } = format;
    const fieldMax = 2n * exponentMax + 1n;
    const near = exponentMax + BigInt(this.below(140) - 70);
    const field = this.pick([0n, 1n, fieldMax - 1n, fieldMax, near, near, this.bits64() % fieldMax]);
    const sign = BigInt(this.below(2)) << (format.width - 1n);
    return sign | (field << fractionBits) | this.#fraction(fractionBits);
  }

  /** One within a few units in the last place of another, of either sign. */
  neighbour(bits: bigint, format: BinaryFormat): bigint {
    const moved = bits + BigInt(this.below(7) - 3);
    const sign = BigInt(this.below(2)) << (format.width - 1n);
    return BigInt.asUintN(Number(format.width), moved) ^ sign;
  }

  /** One whose leading bit is near where another one's last bit is rounded. */
  halfUnitOf(bits: bigint, format: BinaryFormat): bigint {
    const { fractionBits } = format;
    const field = (bits >> fractionBits) & (2n * format.exponentMax + 1n);
    const lower = field - fractionBits - BigInt(this.below(4)) + 1n;
    const sign = BigInt(this.below(2)) << (format.width - 1n);
    const fraction = this.pick([0n, 1n, (1n << fractionBits) - 1n, this.#fraction(fractionBits)]);
    return sign | ((lower > 0n ? lower : 0n) << fractionBits) | fraction;
  }

  integer(): bigint {
    const place = BigInt(this.below(64));
    const random = this.bits64();
    const nearPower = (1n << place) + BigInt(this.below(5) - 2);
    const value = this.pick([nearPower, -nearPower, random, random >> place, (random >> place) << place]);
    return BigInt.asUintN(64, value);
  }

  #fraction(fractionBits: bigint): bigint {
    const all = (1n << fractionBits) - 1n;
    const place = BigInt(this.below(Number(fractionBits)));
    const random = this.bits64() & all;
    const lowZeros = all ^ ((1n << place) - 1n);
    return this.pick([
      0n,
      1n,
      all,
      1n << place,
      lowZeros,
      random & lowZeros,
      random & lowZeros,
      random,
      random,
    ]);
  }
}
