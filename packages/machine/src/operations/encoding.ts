/**
 * How 32-bit instructions are told apart and where their operands stand. One function for each opcode that has
 * several instructions; the fields that a function does not ask for are the same for the whole opcode.
 * Source: RISC-V ISA manual, "RV32/64G Instruction Set Listings".
 */

/** Which reader in assembly/decode.ts takes the operands out of the instruction. */
export type Format =
  | 'immediate'
  | 'shift'
  | 'shift-word'
  | 'register'
  /** rd and rs1 only. */
  | 'source'
  | 'upper'
  | 'load-float'
  | 'store'
  | 'branch'
  | 'jump'
  /** No operands. */
  | 'none'
  /** The instruction itself is the immediate: whoever executes it decodes the rest. */
  | 'whole'
  /** The same, where rs2 must be 0. */
  | 'load-reserved'
  | 'whole-float';

/** Absent fields are operands. */
export interface WordEncoding {
  /** Bits 6:2; several for what is decoded further when it is executed. Bits 1:0 are 11 in every 32-bit instruction. */
  readonly opcodes: readonly number[];
  /** Bits 14:12. */
  readonly funct3?: number;
  /** Bits 31:27, where two bits of order follow. */
  readonly funct5?: number;
  /** Bits 31:26, where bit 25 belongs to a shift amount. */
  readonly funct6?: number;
  /** Bits 31:25. */
  readonly funct7?: number;
  /** Bits 31:20, where the field of rs2 tells operations apart too. */
  readonly funct12?: number;
  readonly format: Format;
}

export const loadInteger = (funct3: number): WordEncoding => ({
  opcodes: [0x00],
  funct3,
  format: 'immediate',
});
export const loadFloat = (funct3: number): WordEncoding => ({
  opcodes: [0x01],
  funct3,
  format: 'load-float',
});
export const miscMemory = (funct3: number): WordEncoding => ({ opcodes: [0x03], funct3, format: 'none' });
export const immediate = (funct3: number): WordEncoding => ({ opcodes: [0x04], funct3, format: 'immediate' });
export const shift = (funct3: number, funct6: number): WordEncoding => ({
  opcodes: [0x04],
  funct3,
  funct6,
  format: 'shift',
});
export const unary = (funct3: number, funct12: number): WordEncoding => ({
  opcodes: [0x04],
  funct3,
  funct12,
  format: 'source',
});
export const auipc: WordEncoding = { opcodes: [0x05], format: 'upper' };
export const immediateWord = (funct3: number): WordEncoding => ({
  opcodes: [0x06],
  funct3,
  format: 'immediate',
});
export const shiftWord = (funct3: number, funct7: number): WordEncoding => ({
  opcodes: [0x06],
  funct3,
  funct7,
  format: 'shift-word',
});
/** A shift by up to 63 among the operations on words. */
export const shiftUnsignedWord = (funct3: number, funct6: number): WordEncoding => ({
  opcodes: [0x06],
  funct3,
  funct6,
  format: 'shift',
});
export const unaryWord = (funct3: number, funct12: number): WordEncoding => ({
  opcodes: [0x06],
  funct3,
  funct12,
  format: 'source',
});
export const storeInteger = (funct3: number): WordEncoding => ({ opcodes: [0x08], funct3, format: 'store' });
export const storeFloat = (funct3: number): WordEncoding => ({ opcodes: [0x09], funct3, format: 'store' });
/** Bytes of an atomic access. */
export type AtomicBytes = 4 | 8;

export const atomic = (
  bytes: AtomicBytes,
  funct5: number,
  format: 'whole' | 'load-reserved' = 'whole',
): WordEncoding => ({ opcodes: [0x0b], funct3: bytes === 4 ? 2 : 3, funct5, format });
export const register = (funct3: number, funct7: number): WordEncoding => ({
  opcodes: [0x0c],
  funct3,
  funct7,
  format: 'register',
});
export const lui: WordEncoding = { opcodes: [0x0d], format: 'upper' };
export const registerWord = (funct3: number, funct7: number): WordEncoding => ({
  opcodes: [0x0e],
  funct3,
  funct7,
  format: 'register',
});
/** One operand all the same. */
export const unaryRegisterWord = (funct3: number, funct12: number): WordEncoding => ({
  opcodes: [0x0e],
  funct3,
  funct12,
  format: 'source',
});
/** FMADD, FMSUB, FNMSUB, FNMADD and OP-FP. */
export const float: WordEncoding = { opcodes: [0x10, 0x11, 0x12, 0x13, 0x14], format: 'whole-float' };
export const branch = (funct3: number): WordEncoding => ({ opcodes: [0x18], funct3, format: 'branch' });
export const jalr: WordEncoding = { opcodes: [0x19], funct3: 0, format: 'immediate' };
export const jal: WordEncoding = { opcodes: [0x1b], format: 'jump' };
export const system: WordEncoding = { opcodes: [0x1c], format: 'whole' };
