/**
 * executeFloat's decoder: which encodings are legal, which registers they touch, NaN boxing, rounding modes
 * and the accrual of flags. The arithmetic behind it is softfloat.test.ts's matter.
 */
import fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import { inRegister } from './differential.ts';
import { type FloatUnit, loadFloatUnit } from './float-unit.ts';
import {
  assemble,
  dynamicMode,
  encode,
  encodeFused,
  formatField,
  operandRegister,
  resultRegister,
} from './instruction.ts';
import { referenceFused } from './reference.ts';
import { binary32, binary64, canonicalNanBits, flag, roundingModes } from './reference-value.ts';

const opFp = 0x53;
const fusedOpcodes = [0x43, 0x47, 0x4b, 0x4f];
const anySecond = { lowest: 0, highest: 31 };
const anyMode = 'rounding';

/** In both formats: bits 31:27, the range of rs2, and the values of rm. */
type LegalRow = readonly [
  operation: number,
  second: { lowest: number; highest: number },
  modes: readonly number[] | 'rounding',
];

const legalRows: readonly LegalRow[] = [
  [0x00, anySecond, anyMode],
  [0x01, anySecond, anyMode],
  [0x02, anySecond, anyMode],
  [0x03, anySecond, anyMode],
  [0x0b, { lowest: 0, highest: 0 }, anyMode],
  [0x04, anySecond, [0, 1, 2]],
  [0x05, anySecond, [0, 1]],
  [0x14, anySecond, [0, 1, 2]],
  [0x18, { lowest: 0, highest: 3 }, anyMode],
  [0x1a, { lowest: 0, highest: 3 }, anyMode],
  [0x1c, { lowest: 0, highest: 0 }, [0, 1]],
  [0x1e, { lowest: 0, highest: 0 }, [0]],
];

let unit: FloatUnit;
beforeAll(async () => {
  unit = await loadFloatUnit();
}, 90_000);

describe('executeFloat', () => {
  it.each([0, 1, 2, 3, 4, 5, 6, 7])('accepts the listed encodings of OP-FP and no others, frm %i', (frm) => {
    const wrong: string[] = [];
    for (let upper = 0; upper < 128; upper++) {
      for (let second = 0; second < 32; second++) {
        for (let mode = 0; mode < 8; mode++) {
          const word = assemble({ major: opFp, upper, second, first: 1, mode, destination: 4 });
          unit.fcsr = frm << 5;
          if ((unit.execute(word) === 0) !== isLegal(upper, second, mode, frm)) wrong.push(word.toString(16));
        }
      }
    }
    expect(wrong).toEqual([]);
  });

  it('accepts the fused opcodes in two formats and five static or dynamic modes', () => {
    for (const major of fusedOpcodes) {
      for (let format = 0; format < 4; format++) {
        for (let mode = 0; mode < 8; mode++) {
          for (let frm = 0; frm < 8; frm++) {
            unit.fcsr = frm << 5;
            const word = assemble({
              major,
              upper: (3 << 2) | format,
              second: 2,
              first: 1,
              mode,
              destination: 4,
            });
            expect(unit.execute(word) === 0, word.toString(16)).toBe(format < 2 && isRounding(mode, frm));
          }
        }
      }
    }
  });

  it('writes nothing for an illegal encoding', () => {
    unit.setFloat(operandRegister.a, 0x7ff0_0000_0000_0001n);
    unit.fcsr = 5 << 5;
    const before = unit.copyMemory();
    for (let upper = 0; upper < 128; upper++) {
      for (const second of [0, 1, 4, 31]) {
        for (const mode of [3, 5, 6, 7]) {
          if (isLegal(upper, second, mode, 5)) continue;
          expect(unit.execute(assemble({ major: opFp, upper, second, first: 1, mode, destination: 4 }))).toBe(
            1,
          );
        }
      }
    }
    expect(unit.execute(encodeFused('fmadd', binary64))).toBe(1);
    expect(unit.isMemoryEqual(before)).toBe(true);
  });

  it('reads and writes the registers that the fields name, also where they coincide', () => {
    const register = fc.integer({ min: 0, max: 31 });
    const bits = fc.bigInt({ min: 0n, max: 2n ** 64n - 1n });
    const fields = fc.record({ first: register, second: register, third: register, destination: register });
    const contents = fc.array(bits, { minLength: 32, maxLength: 32 });
    fc.assert(
      fc.property(fields, contents, ({ first, second, third, destination }, registers) => {
        registers.forEach((value, index) => {
          unit.setFloat(index, value);
        });
        unit.fcsr = 0;
        const upper = (third << 2) | formatField(binary64);
        expect(unit.execute(assemble({ major: 0x43, upper, second, first, mode: 0, destination }))).toBe(0);
        const at = (index: number) => registers[index] ?? 0n;
        const expected = referenceFused('fmadd', [at(first), at(second), at(third)], 'RNE', binary64);
        const after = registers.map((value, index) => (index === destination ? expected.bits : value));
        expect(registers.map((_, index) => unit.float(index))).toEqual(after);
      }),
      { numRuns: 200 },
    );
  });

  it('sends an integer result for x0 to slot 32', () => {
    unit.setInteger(0, 0n);
    unit.setInteger(32, 0n);
    unit.setFloat(operandRegister.a, 0xabcdn);
    const upper = (0x1c << 2) | 1;
    expect(unit.execute(assemble({ major: opFp, upper, second: 0, first: 1, mode: 0, destination: 0 }))).toBe(
      0,
    );
    expect(unit.integer(0)).toBe(0n);
    expect(unit.integer(32)).toBe(0xabcdn);
  });
});

describe('NaN boxing', () => {
  const one = 0x3f80_0000n;

  it.each(['000000003f800000', 'fffffffe3f800000', '7fffffff3f800000'])(
    'takes an unboxed binary32 (register %s) for the canonical NaN',
    (digits) => {
      const unboxed = BigInt(`0x${digits}`);
      unit.setFloat(operandRegister.b, inRegister(one, binary32));
      unit.setFloat(operandRegister.c, inRegister(one, binary32));
      unit.setFloat(operandRegister.a, unboxed);
      const nan = inRegister(canonicalNanBits(binary32), binary32);
      const floatResult = (word: number) => {
        unit.fcsr = 0;
        expect(unit.execute(word)).toBe(0);
        return [unit.float(resultRegister.float), unit.fcsr];
      };
      expect(floatResult(encode('fadd', binary32))).toEqual([nan, 0]);
      expect(floatResult(encode('fsqrt', binary32))).toEqual([nan, 0]);
      expect(floatResult(encode('fsgnj', binary32))).toEqual([nan, 0]);
      expect(floatResult(encodeFused('fmadd', binary32))).toEqual([nan, 0]);
      expect(floatResult(encode('fmin', binary32))).toEqual([inRegister(one, binary32), 0]);
      expect(floatResult(encode('fcvt.from.s', binary64))).toEqual([canonicalNanBits(binary64), 0]);
      expect(unit.execute(encode('fclass', binary32))).toBe(0);
      expect(unit.integer(resultRegister.integer)).toBe(1n << 9n);
      expect(unit.execute(encode('fcvt.w', binary32))).toBe(0);
      expect(unit.integer(resultRegister.integer)).toBe(0x7fff_ffffn);
    },
  );

  it('does not ask FMV.X.W for a box, and sign-extends its result', () => {
    unit.setFloat(operandRegister.a, 0x1234_5678_8765_4321n);
    expect(unit.execute(encode('fmv.to.x', binary32))).toBe(0);
    expect(unit.integer(resultRegister.integer)).toBe(0xffff_ffff_8765_4321n);
    expect(unit.execute(encode('fmv.to.x', binary64))).toBe(0);
    expect(unit.integer(resultRegister.integer)).toBe(0x1234_5678_8765_4321n);
  });

  it('boxes every binary32 that is written', () => {
    unit.setFloat(operandRegister.a, inRegister(one, binary32));
    unit.setFloat(operandRegister.b, inRegister(one, binary32));
    unit.setInteger(operandRegister.integer, 0x1234_5678_0000_0002n);
    const words = [
      ...(['fadd', 'fmul', 'fdiv', 'fsqrt', 'fsgnjn', 'fmax'] as const).map((name) => encode(name, binary32)),
      ...(['fcvt.from.w', 'fcvt.from.lu', 'fcvt.from.d', 'fmv.from.x'] as const).map((name) =>
        encode(name, binary32),
      ),
      encodeFused('fnmadd', binary32),
    ];
    for (const word of words) {
      unit.fcsr = 0;
      unit.setFloat(resultRegister.float, 0n);
      expect(unit.execute(word)).toBe(0);
      expect(unit.float(resultRegister.float) >> 32n, word.toString(16)).toBe(0xffff_ffffn);
    }
  });
});

describe('fcsr', () => {
  it('gives the mode of a dynamic instruction, which keeps it', () => {
    const third = [
      0x3fd5_5555_5555_5555n,
      0x3fd5_5555_5555_5555n,
      0x3fd5_5555_5555_5555n,
      0x3fd5_5555_5555_5556n,
    ];
    unit.setFloat(operandRegister.a, 0x3ff0_0000_0000_0000n);
    unit.setFloat(operandRegister.b, 0x4008_0000_0000_0000n);
    third.forEach((quotient, frm) => {
      unit.fcsr = frm << 5;
      expect(unit.execute(encode('fdiv', binary64, dynamicMode))).toBe(0);
      expect(unit.float(resultRegister.float), roundingModes[frm]).toBe(quotient);
      expect(unit.fcsr).toBe((frm << 5) | flag.inexact);
    });
  });

  it('is overruled by a static mode, even where it holds a reserved one', () => {
    unit.setFloat(operandRegister.a, 0x3ff0_0000_0000_0000n);
    unit.setFloat(operandRegister.b, 0x4008_0000_0000_0000n);
    unit.fcsr = 7 << 5;
    expect(unit.execute(encode('fdiv', binary64, roundingModes.indexOf('RUP')))).toBe(0);
    expect(unit.float(resultRegister.float)).toBe(0x3fd5_5555_5555_5556n);
  });

  it('accrues flags: none is lost and none outlives its instruction', () => {
    unit.fcsr = flag.underflow;
    unit.setFloat(operandRegister.a, 0x3ff0_0000_0000_0000n);
    unit.setFloat(operandRegister.b, 0n);
    expect(unit.execute(encode('fdiv', binary64))).toBe(0);
    expect(unit.fcsr).toBe(flag.underflow | flag.divideByZero);
    unit.fcsr = 0;
    expect(unit.execute(encode('fadd', binary64))).toBe(0);
    expect(unit.fcsr).toBe(0);
  });
});

function isLegal(upper: number, second: number, mode: number, frm: number): boolean {
  const format = upper & 3;
  if (format > 1) return false;
  const operation = upper >> 2;
  // FCVT.S.D and FCVT.D.S: rs2 names the other format.
  if (operation === 0x08) return second === 1 - format && isRounding(mode, frm);
  return legalRows.some(
    ([rowOperation, { lowest, highest }, modes]) =>
      rowOperation === operation &&
      second >= lowest &&
      second <= highest &&
      (modes === anyMode ? isRounding(mode, frm) : modes.includes(mode)),
  );
}

function isRounding(mode: number, frm: number): boolean {
  return mode === dynamicMode ? frm < roundingModes.length : mode < roundingModes.length;
}
