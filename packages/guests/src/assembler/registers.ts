/**
 * Names of the integer and floating-point registers by the standard calling convention.
 * Source: RISC-V ELF psABI, "Integer Register Convention" and "Floating-point Register Convention".
 */

/** Index in the array is the register's number. */
export const xRegisters = [
  ...['zero', 'ra', 'sp', 'gp', 'tp', 't0', 't1', 't2', 's0', 's1', 'a0', 'a1', 'a2', 'a3', 'a4', 'a5'],
  ...['a6', 'a7', 's2', 's3', 's4', 's5', 's6', 's7', 's8', 's9', 's10', 's11', 't3', 't4', 't5', 't6'],
] as readonly XRegister[];

export const fRegisters = [
  ...[
    'ft0',
    'ft1',
    'ft2',
    'ft3',
    'ft4',
    'ft5',
    'ft6',
    'ft7',
    'fs0',
    'fs1',
    'fa0',
    'fa1',
    'fa2',
    'fa3',
    'fa4',
    'fa5',
  ],
  ...[
    'fa6',
    'fa7',
    'fs2',
    'fs3',
    'fs4',
    'fs5',
    'fs6',
    'fs7',
    'fs8',
    'fs9',
    'fs10',
    'fs11',
    'ft8',
    'ft9',
    'ft10',
    'ft11',
  ],
] as readonly FRegister[];

type OneDigit = 0 | 1 | 2 | 3 | 4 | 5 | 6 | 7;
type SavedNumber = OneDigit | 8 | 9 | 10 | 11;

export type XRegister =
  | 'zero'
  | 'ra'
  | 'sp'
  | 'gp'
  | 'tp'
  | `a${OneDigit}`
  | `s${SavedNumber}`
  | `t${0 | 1 | 2 | 3 | 4 | 5 | 6}`;

export type FRegister = `fa${OneDigit}` | `fs${SavedNumber}` | `ft${SavedNumber}`;

/** The eight integer registers that three-bit fields of compressed instructions reach (x8 to x15). */
export type ShortXRegister = 's0' | 's1' | `a${0 | 1 | 2 | 3 | 4 | 5}`;
/** The eight floating-point registers of three-bit fields (f8 to f15). */
export type ShortFRegister = 'fs0' | 'fs1' | `fa${0 | 1 | 2 | 3 | 4 | 5}`;
