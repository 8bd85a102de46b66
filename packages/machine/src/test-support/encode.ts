/**
 * Test tool: just enough of an assembler for guests that provoke the machine's laws. Field layouts: RISC-V ISA
 * manual, "RV32/64G Instruction Set Listings".
 */
const opcodes = {
  load: 0x03,
  immediate: 0x13,
  store: 0x23,
  atomic: 0x2f,
  register: 0x33,
  lui: 0x37,
} as const;

function itype(opcode: number, funct3: number, rd: number, rs1: number, immediate: number): number {
  return (((immediate & 0xfff) << 20) | (rs1 << 15) | (funct3 << 12) | (rd << 7) | opcode) >>> 0;
}

export const lui = (rd: number, upper: number): number => ((upper << 12) | (rd << 7) | opcodes.lui) >>> 0;
export const addi = (rd: number, rs1: number, immediate: number): number =>
  itype(opcodes.immediate, 0, rd, rs1, immediate);
export const andi = (rd: number, rs1: number, immediate: number): number =>
  itype(opcodes.immediate, 7, rd, rs1, immediate);
export const xori = (rd: number, rs1: number, immediate: number): number =>
  itype(opcodes.immediate, 4, rd, rs1, immediate);
export const slli = (rd: number, rs1: number, shift: number): number =>
  itype(opcodes.immediate, 1, rd, rs1, shift);
export const srli = (rd: number, rs1: number, shift: number): number =>
  itype(opcodes.immediate, 5, rd, rs1, shift);
/** width: 0 byte, 1 half, 2 word, 3 double. */
export const load = (width: number, rd: number, rs1: number, offset: number): number =>
  itype(opcodes.load, width, rd, rs1, offset);
export const store = (width: number, rs2: number, rs1: number, offset: number): number =>
  ((((offset >> 5) & 0x7f) << 25) |
    (rs2 << 20) |
    (rs1 << 15) |
    (width << 12) |
    ((offset & 31) << 7) |
    opcodes.store) >>>
  0;
/** funct3 with funct7 as in the listings: add is 0, 0; mul is 0, 1. */
export const register = (funct3: number, funct7: number, rd: number, rs1: number, rs2: number): number =>
  ((funct7 << 25) | (rs2 << 20) | (rs1 << 15) | (funct3 << 12) | (rd << 7) | opcodes.register) >>> 0;
/** funct5 of the A extension: 0 amoadd, 1 amoswap, 2 lr, 3 sc. */
export const atomic = (funct5: number, width: number, rd: number, rs1: number, rs2: number): number =>
  ((funct5 << 27) | (rs2 << 20) | (rs1 << 15) | (width << 12) | (rd << 7) | opcodes.atomic) >>> 0;
/** kind: 1 csrrw, 2 csrrs, 3 csrrc. */
export const csr = (kind: number, rd: number, number: number, rs1: number): number =>
  ((number << 20) | (rs1 << 15) | (kind << 12) | (rd << 7) | 0x73) >>> 0;
export const branch = (funct3: number, rs1: number, rs2: number, offset: number): number =>
  ((((offset >> 12) & 1) << 31) |
    (((offset >> 5) & 0x3f) << 25) |
    (rs2 << 20) |
    (rs1 << 15) |
    (funct3 << 12) |
    (((offset >> 1) & 15) << 8) |
    (((offset >> 11) & 1) << 7) |
    0x63) >>>
  0;
export const jal = (rd: number, offset: number): number =>
  ((((offset >> 20) & 1) << 31) |
    (((offset >> 1) & 0x3ff) << 21) |
    (((offset >> 11) & 1) << 20) |
    (((offset >> 12) & 0xff) << 12) |
    (rd << 7) |
    0x6f) >>>
  0;
/** PMP: S and U mode may do everything, from the entry with this number on. Uses x5. */
export const permitAll = (entry = 0): number[] => [
  addi(5, 0, -1),
  csr(1, 0, 0x3b0 + entry, 5),
  addi(5, 0, 0x1f),
  slli(5, 5, 8 * entry),
  csr(2, 0, 0x3a0, 5),
];
export const sfenceAll = 0x12000073;
export const mret = 0x30200073;
export const wfi = 0x10500073;
export const ecall = 0x73;
