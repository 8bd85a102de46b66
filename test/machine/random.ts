/** Pseudo-random numbers that are the same for a seed on every machine. Source: Steele et al., "SplitMix". */

export class Random {
  #state: bigint;

  constructor(seed: bigint) {
    this.#state = BigInt.asUintN(64, seed);
  }

  bits64(): bigint {
    this.#state = BigInt.asUintN(64, this.#state + 0x9e37_79b9_7f4a_7c15n);
    let mixed = this.#state;
    mixed = BigInt.asUintN(64, (mixed ^ (mixed >> 30n)) * 0xbf58_476d_1ce4_e5b9n);
    mixed = BigInt.asUintN(64, (mixed ^ (mixed >> 27n)) * 0x94d0_49bb_1331_11ebn);
    return mixed ^ (mixed >> 31n);
  }

  /** A whole number from `low` to `high`, both included. */
  between(low: number, high: number): number {
    return low + Number(this.bits64() % BigInt(high - low + 1));
  }

  /** True once in `n` times. */
  oneIn(n: number): boolean {
    return this.between(1, n) === 1;
  }

  pick<T>(choices: readonly T[]): T {
    const choice = choices[this.between(0, choices.length - 1)];
    if (choice === undefined) throw new Error('nothing to pick from');
    return choice;
  }

  /** Values that find mistakes: small ones, single bits, bounds of the widths, patterns - and any. */
  interesting64(): bigint {
    switch (this.between(0, 7)) {
      case 0:
        return BigInt.asUintN(64, BigInt(this.between(-16, 16)));
      case 1:
        return 1n << BigInt(this.between(0, 63));
      case 2: {
        const bound = 1n << BigInt(this.pick([7, 8, 15, 16, 31, 32, 63]));
        return BigInt.asUintN(64, bound + BigInt(this.between(-2, 1)));
      }
      case 3:
        return BigInt.asUintN(64, -(1n << BigInt(this.pick([7, 15, 31, 63]))) + BigInt(this.between(-1, 1)));
      case 4:
        return this.bits64() & 0xffff_ffffn;
      case 5:
        return BigInt.asUintN(64, BigInt.asIntN(32, this.bits64()));
      default:
        return this.bits64();
    }
  }
}
