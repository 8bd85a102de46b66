/**
 * Every instruction of RV64GC, Zba, Zbb and Zbs with the privileged ones that guests use: the bits that never change, then the kinds
 * of its operands in the order of assembly language. Source: RISC-V Unprivileged ISA, "RV32/64G Instruction Set
 * Listings"; each group below names its table. Omitted: Q, Zfh, V and the other Zb*; the guest has none of them.
 */
import { defaultOperand, describeOperands, encodeOperand, type OperandKind } from './operand.ts';

export type Encoding = readonly [fixedBits: number, ...operands: readonly OperandKind[]];

export const instructionTable = {
  // RV32I and RV64I Base Instruction Set
  lui: [0x00000037, 'rd', 'upper'],
  auipc: [0x00000017, 'rd', 'upper'],
  jal: [0x0000006f, 'rd', 'jump'],
  jalr: [0x00000067, 'rd', 'offset', 'base'],
  beq: [0x00000063, 'rs1', 'rs2', 'branch'],
  bne: [0x00001063, 'rs1', 'rs2', 'branch'],
  blt: [0x00004063, 'rs1', 'rs2', 'branch'],
  bge: [0x00005063, 'rs1', 'rs2', 'branch'],
  bltu: [0x00006063, 'rs1', 'rs2', 'branch'],
  bgeu: [0x00007063, 'rs1', 'rs2', 'branch'],
  lb: [0x00000003, 'rd', 'offset', 'base'],
  lh: [0x00001003, 'rd', 'offset', 'base'],
  lw: [0x00002003, 'rd', 'offset', 'base'],
  ld: [0x00003003, 'rd', 'offset', 'base'],
  lbu: [0x00004003, 'rd', 'offset', 'base'],
  lhu: [0x00005003, 'rd', 'offset', 'base'],
  lwu: [0x00006003, 'rd', 'offset', 'base'],
  sb: [0x00000023, 'rs2', 'storeOffset', 'base'],
  sh: [0x00001023, 'rs2', 'storeOffset', 'base'],
  sw: [0x00002023, 'rs2', 'storeOffset', 'base'],
  sd: [0x00003023, 'rs2', 'storeOffset', 'base'],
  addi: [0x00000013, 'rd', 'rs1', 'imm'],
  slti: [0x00002013, 'rd', 'rs1', 'imm'],
  sltiu: [0x00003013, 'rd', 'rs1', 'imm'],
  xori: [0x00004013, 'rd', 'rs1', 'imm'],
  ori: [0x00006013, 'rd', 'rs1', 'imm'],
  andi: [0x00007013, 'rd', 'rs1', 'imm'],
  slli: [0x00001013, 'rd', 'rs1', 'shift'],
  srli: [0x00005013, 'rd', 'rs1', 'shift'],
  srai: [0x40005013, 'rd', 'rs1', 'shift'],
  add: [0x00000033, 'rd', 'rs1', 'rs2'],
  sub: [0x40000033, 'rd', 'rs1', 'rs2'],
  sll: [0x00001033, 'rd', 'rs1', 'rs2'],
  slt: [0x00002033, 'rd', 'rs1', 'rs2'],
  sltu: [0x00003033, 'rd', 'rs1', 'rs2'],
  xor: [0x00004033, 'rd', 'rs1', 'rs2'],
  srl: [0x00005033, 'rd', 'rs1', 'rs2'],
  sra: [0x40005033, 'rd', 'rs1', 'rs2'],
  or: [0x00006033, 'rd', 'rs1', 'rs2'],
  and: [0x00007033, 'rd', 'rs1', 'rs2'],
  addiw: [0x0000001b, 'rd', 'rs1', 'imm'],
  slliw: [0x0000101b, 'rd', 'rs1', 'shiftWord'],
  srliw: [0x0000501b, 'rd', 'rs1', 'shiftWord'],
  sraiw: [0x4000501b, 'rd', 'rs1', 'shiftWord'],
  addw: [0x0000003b, 'rd', 'rs1', 'rs2'],
  subw: [0x4000003b, 'rd', 'rs1', 'rs2'],
  sllw: [0x0000103b, 'rd', 'rs1', 'rs2'],
  srlw: [0x0000503b, 'rd', 'rs1', 'rs2'],
  sraw: [0x4000503b, 'rd', 'rs1', 'rs2'],
  fence: [0x0000000f, 'predecessor', 'successor'],
  ecall: [0x00000073],
  ebreak: [0x00100073],

  // RV32/RV64 Zifencei and Zicsr Standard Extensions
  'fence.i': [0x0000100f],
  csrrw: [0x00001073, 'rd', 'csr', 'rs1'],
  csrrs: [0x00002073, 'rd', 'csr', 'rs1'],
  csrrc: [0x00003073, 'rd', 'csr', 'rs1'],
  csrrwi: [0x00005073, 'rd', 'csr', 'bits5'],
  csrrsi: [0x00006073, 'rd', 'csr', 'bits5'],
  csrrci: [0x00007073, 'rd', 'csr', 'bits5'],

  // Privileged Architecture, "RISC-V Privileged Instruction Set Listings"
  mret: [0x30200073],
  sret: [0x10200073],
  wfi: [0x10500073],
  'sfence.vma': [0x12000073, 'rs1', 'rs2'],

  // RV32M and RV64M Standard Extension
  mul: [0x02000033, 'rd', 'rs1', 'rs2'],
  mulh: [0x02001033, 'rd', 'rs1', 'rs2'],
  mulhsu: [0x02002033, 'rd', 'rs1', 'rs2'],
  mulhu: [0x02003033, 'rd', 'rs1', 'rs2'],
  div: [0x02004033, 'rd', 'rs1', 'rs2'],
  divu: [0x02005033, 'rd', 'rs1', 'rs2'],
  rem: [0x02006033, 'rd', 'rs1', 'rs2'],
  remu: [0x02007033, 'rd', 'rs1', 'rs2'],
  mulw: [0x0200003b, 'rd', 'rs1', 'rs2'],
  divw: [0x0200403b, 'rd', 'rs1', 'rs2'],
  divuw: [0x0200503b, 'rd', 'rs1', 'rs2'],
  remw: [0x0200603b, 'rd', 'rs1', 'rs2'],
  remuw: [0x0200703b, 'rd', 'rs1', 'rs2'],

  // "B" Extension for Bit Manipulation: Zba
  'add.uw': [0x0800003b, 'rd', 'rs1', 'rs2'],
  sh1add: [0x20002033, 'rd', 'rs1', 'rs2'],
  'sh1add.uw': [0x2000203b, 'rd', 'rs1', 'rs2'],
  sh2add: [0x20004033, 'rd', 'rs1', 'rs2'],
  'sh2add.uw': [0x2000403b, 'rd', 'rs1', 'rs2'],
  sh3add: [0x20006033, 'rd', 'rs1', 'rs2'],
  'sh3add.uw': [0x2000603b, 'rd', 'rs1', 'rs2'],
  'slli.uw': [0x0800101b, 'rd', 'rs1', 'shift'],

  // "B" Extension for Bit Manipulation: Zbb
  andn: [0x40007033, 'rd', 'rs1', 'rs2'],
  orn: [0x40006033, 'rd', 'rs1', 'rs2'],
  xnor: [0x40004033, 'rd', 'rs1', 'rs2'],
  clz: [0x60001013, 'rd', 'rs1'],
  clzw: [0x6000101b, 'rd', 'rs1'],
  ctz: [0x60101013, 'rd', 'rs1'],
  ctzw: [0x6010101b, 'rd', 'rs1'],
  cpop: [0x60201013, 'rd', 'rs1'],
  cpopw: [0x6020101b, 'rd', 'rs1'],
  max: [0x0a006033, 'rd', 'rs1', 'rs2'],
  maxu: [0x0a007033, 'rd', 'rs1', 'rs2'],
  min: [0x0a004033, 'rd', 'rs1', 'rs2'],
  minu: [0x0a005033, 'rd', 'rs1', 'rs2'],
  'sext.b': [0x60401013, 'rd', 'rs1'],
  'sext.h': [0x60501013, 'rd', 'rs1'],
  'zext.h': [0x0800403b, 'rd', 'rs1'],
  rol: [0x60001033, 'rd', 'rs1', 'rs2'],
  rolw: [0x6000103b, 'rd', 'rs1', 'rs2'],
  ror: [0x60005033, 'rd', 'rs1', 'rs2'],
  rori: [0x60005013, 'rd', 'rs1', 'shift'],
  roriw: [0x6000501b, 'rd', 'rs1', 'shiftWord'],
  rorw: [0x6000503b, 'rd', 'rs1', 'rs2'],
  'orc.b': [0x28705013, 'rd', 'rs1'],
  rev8: [0x6b805013, 'rd', 'rs1'],

  // "B" Extension for Bit Manipulation: Zbs
  bclr: [0x48001033, 'rd', 'rs1', 'rs2'],
  bclri: [0x48001013, 'rd', 'rs1', 'shift'],
  bext: [0x48005033, 'rd', 'rs1', 'rs2'],
  bexti: [0x48005013, 'rd', 'rs1', 'shift'],
  binv: [0x68001033, 'rd', 'rs1', 'rs2'],
  binvi: [0x68001013, 'rd', 'rs1', 'shift'],
  bset: [0x28001033, 'rd', 'rs1', 'rs2'],
  bseti: [0x28001013, 'rd', 'rs1', 'shift'],

  // RV32A and RV64A Standard Extension
  'lr.w': [0x1000202f, 'rd', 'base', 'order'],
  'sc.w': [0x1800202f, 'rd', 'rs2', 'base', 'order'],
  'amoswap.w': [0x0800202f, 'rd', 'rs2', 'base', 'order'],
  'amoadd.w': [0x0000202f, 'rd', 'rs2', 'base', 'order'],
  'amoxor.w': [0x2000202f, 'rd', 'rs2', 'base', 'order'],
  'amoand.w': [0x6000202f, 'rd', 'rs2', 'base', 'order'],
  'amoor.w': [0x4000202f, 'rd', 'rs2', 'base', 'order'],
  'amomin.w': [0x8000202f, 'rd', 'rs2', 'base', 'order'],
  'amomax.w': [0xa000202f, 'rd', 'rs2', 'base', 'order'],
  'amominu.w': [0xc000202f, 'rd', 'rs2', 'base', 'order'],
  'amomaxu.w': [0xe000202f, 'rd', 'rs2', 'base', 'order'],
  'lr.d': [0x1000302f, 'rd', 'base', 'order'],
  'sc.d': [0x1800302f, 'rd', 'rs2', 'base', 'order'],
  'amoswap.d': [0x0800302f, 'rd', 'rs2', 'base', 'order'],
  'amoadd.d': [0x0000302f, 'rd', 'rs2', 'base', 'order'],
  'amoxor.d': [0x2000302f, 'rd', 'rs2', 'base', 'order'],
  'amoand.d': [0x6000302f, 'rd', 'rs2', 'base', 'order'],
  'amoor.d': [0x4000302f, 'rd', 'rs2', 'base', 'order'],
  'amomin.d': [0x8000302f, 'rd', 'rs2', 'base', 'order'],
  'amomax.d': [0xa000302f, 'rd', 'rs2', 'base', 'order'],
  'amominu.d': [0xc000302f, 'rd', 'rs2', 'base', 'order'],
  'amomaxu.d': [0xe000302f, 'rd', 'rs2', 'base', 'order'],

  // RV32F and RV64F Standard Extension
  flw: [0x00002007, 'fd', 'offset', 'base'],
  fsw: [0x00002027, 'fs2', 'storeOffset', 'base'],
  'fmadd.s': [0x00000043, 'fd', 'fs1', 'fs2', 'fs3', 'rounding'],
  'fmsub.s': [0x00000047, 'fd', 'fs1', 'fs2', 'fs3', 'rounding'],
  'fnmsub.s': [0x0000004b, 'fd', 'fs1', 'fs2', 'fs3', 'rounding'],
  'fnmadd.s': [0x0000004f, 'fd', 'fs1', 'fs2', 'fs3', 'rounding'],
  'fadd.s': [0x00000053, 'fd', 'fs1', 'fs2', 'rounding'],
  'fsub.s': [0x08000053, 'fd', 'fs1', 'fs2', 'rounding'],
  'fmul.s': [0x10000053, 'fd', 'fs1', 'fs2', 'rounding'],
  'fdiv.s': [0x18000053, 'fd', 'fs1', 'fs2', 'rounding'],
  'fsqrt.s': [0x58000053, 'fd', 'fs1', 'rounding'],
  'fsgnj.s': [0x20000053, 'fd', 'fs1', 'fs2'],
  'fsgnjn.s': [0x20001053, 'fd', 'fs1', 'fs2'],
  'fsgnjx.s': [0x20002053, 'fd', 'fs1', 'fs2'],
  'fmin.s': [0x28000053, 'fd', 'fs1', 'fs2'],
  'fmax.s': [0x28001053, 'fd', 'fs1', 'fs2'],
  'feq.s': [0xa0002053, 'rd', 'fs1', 'fs2'],
  'flt.s': [0xa0001053, 'rd', 'fs1', 'fs2'],
  'fle.s': [0xa0000053, 'rd', 'fs1', 'fs2'],
  'fclass.s': [0xe0001053, 'rd', 'fs1'],
  'fcvt.w.s': [0xc0000053, 'rd', 'fs1', 'rounding'],
  'fcvt.s.w': [0xd0000053, 'fd', 'rs1', 'rounding'],
  'fcvt.wu.s': [0xc0100053, 'rd', 'fs1', 'rounding'],
  'fcvt.s.wu': [0xd0100053, 'fd', 'rs1', 'rounding'],
  'fcvt.l.s': [0xc0200053, 'rd', 'fs1', 'rounding'],
  'fcvt.s.l': [0xd0200053, 'fd', 'rs1', 'rounding'],
  'fcvt.lu.s': [0xc0300053, 'rd', 'fs1', 'rounding'],
  'fcvt.s.lu': [0xd0300053, 'fd', 'rs1', 'rounding'],
  'fmv.x.w': [0xe0000053, 'rd', 'fs1'],
  'fmv.w.x': [0xf0000053, 'fd', 'rs1'],

  // RV32D and RV64D Standard Extension
  fld: [0x00003007, 'fd', 'offset', 'base'],
  fsd: [0x00003027, 'fs2', 'storeOffset', 'base'],
  'fmadd.d': [0x02000043, 'fd', 'fs1', 'fs2', 'fs3', 'rounding'],
  'fmsub.d': [0x02000047, 'fd', 'fs1', 'fs2', 'fs3', 'rounding'],
  'fnmsub.d': [0x0200004b, 'fd', 'fs1', 'fs2', 'fs3', 'rounding'],
  'fnmadd.d': [0x0200004f, 'fd', 'fs1', 'fs2', 'fs3', 'rounding'],
  'fadd.d': [0x02000053, 'fd', 'fs1', 'fs2', 'rounding'],
  'fsub.d': [0x0a000053, 'fd', 'fs1', 'fs2', 'rounding'],
  'fmul.d': [0x12000053, 'fd', 'fs1', 'fs2', 'rounding'],
  'fdiv.d': [0x1a000053, 'fd', 'fs1', 'fs2', 'rounding'],
  'fsqrt.d': [0x5a000053, 'fd', 'fs1', 'rounding'],
  'fsgnj.d': [0x22000053, 'fd', 'fs1', 'fs2'],
  'fsgnjn.d': [0x22001053, 'fd', 'fs1', 'fs2'],
  'fsgnjx.d': [0x22002053, 'fd', 'fs1', 'fs2'],
  'fmin.d': [0x2a000053, 'fd', 'fs1', 'fs2'],
  'fmax.d': [0x2a001053, 'fd', 'fs1', 'fs2'],
  'feq.d': [0xa2002053, 'rd', 'fs1', 'fs2'],
  'flt.d': [0xa2001053, 'rd', 'fs1', 'fs2'],
  'fle.d': [0xa2000053, 'rd', 'fs1', 'fs2'],
  'fclass.d': [0xe2001053, 'rd', 'fs1'],
  'fcvt.w.d': [0xc2000053, 'rd', 'fs1', 'rounding'],
  'fcvt.d.w': [0xd2000053, 'fd', 'rs1'],
  'fcvt.wu.d': [0xc2100053, 'rd', 'fs1', 'rounding'],
  'fcvt.d.wu': [0xd2100053, 'fd', 'rs1'],
  'fcvt.l.d': [0xc2200053, 'rd', 'fs1', 'rounding'],
  'fcvt.d.l': [0xd2200053, 'fd', 'rs1', 'rounding'],
  'fcvt.lu.d': [0xc2300053, 'rd', 'fs1', 'rounding'],
  'fcvt.d.lu': [0xd2300053, 'fd', 'rs1', 'rounding'],
  'fmv.x.d': [0xe2000053, 'rd', 'fs1'],
  'fmv.d.x': [0xf2000053, 'fd', 'rs1'],
  'fcvt.s.d': [0x40100053, 'fd', 'fs1', 'rounding'],
  'fcvt.d.s': [0x42000053, 'fd', 'fs1'],

  // RVC Instruction Set Listings, quadrants 0 to 2
  'c.addi4spn': [0x0000, 'shortD', 'cStackAddress'],
  'c.fld': [0x2000, 'shortFd', 'cOffsetDouble', 'shortBase'],
  'c.lw': [0x4000, 'shortD', 'cOffsetWord', 'shortBase'],
  'c.ld': [0x6000, 'shortD', 'cOffsetDouble', 'shortBase'],
  'c.fsd': [0xa000, 'shortFd', 'cOffsetDouble', 'shortBase'],
  'c.sw': [0xc000, 'shortD', 'cOffsetWord', 'shortBase'],
  'c.sd': [0xe000, 'shortD', 'cOffsetDouble', 'shortBase'],
  'c.nop': [0x0001],
  'c.addi': [0x0001, 'cd', 'cImmNonzero'],
  'c.addiw': [0x2001, 'cd', 'cImm'],
  'c.li': [0x4001, 'cd', 'cImm'],
  'c.addi16sp': [0x6101, 'cStackStep'],
  'c.lui': [0x6001, 'cd', 'cUpper'],
  'c.srli': [0x8001, 'shortS1', 'cShift'],
  'c.srai': [0x8401, 'shortS1', 'cShift'],
  'c.andi': [0x8801, 'shortS1', 'cImm'],
  'c.sub': [0x8c01, 'shortS1', 'shortD'],
  'c.xor': [0x8c21, 'shortS1', 'shortD'],
  'c.or': [0x8c41, 'shortS1', 'shortD'],
  'c.and': [0x8c61, 'shortS1', 'shortD'],
  'c.subw': [0x9c01, 'shortS1', 'shortD'],
  'c.addw': [0x9c21, 'shortS1', 'shortD'],
  'c.j': [0xa001, 'cJump'],
  'c.beqz': [0xc001, 'shortS1', 'cBranch'],
  'c.bnez': [0xe001, 'shortS1', 'cBranch'],
  'c.slli': [0x0002, 'cd', 'cShift'],
  'c.fldsp': [0x2002, 'cfd', 'cStackLoadDouble'],
  'c.lwsp': [0x4002, 'cd', 'cStackLoadWord'],
  'c.ldsp': [0x6002, 'cd', 'cStackLoadDouble'],
  'c.jr': [0x8002, 'cd'],
  'c.mv': [0x8002, 'cd', 'cs2'],
  'c.ebreak': [0x9002],
  'c.jalr': [0x9002, 'cd'],
  'c.add': [0x9002, 'cd', 'cs2'],
  'c.fsdsp': [0xa002, 'cfs2', 'cStackStoreDouble'],
  'c.swsp': [0xc002, 'cs2', 'cStackStoreWord'],
  'c.sdsp': [0xe002, 'cs2', 'cStackStoreDouble'],
} as const satisfies Record<string, Encoding>;

/** As the ISA manual writes it: `fadd.s`. */
export type Mnemonic = keyof typeof instructionTable;

export const mnemonics = Object.keys(instructionTable) as readonly Mnemonic[];

export function operandKinds(mnemonic: Mnemonic): readonly OperandKind[] {
  const [, ...kinds] = instructionTable[mnemonic] as Encoding;
  return kinds;
}

/** 2 for a compressed instruction, 4 for any other. */
export function instructionBytes(mnemonic: Mnemonic): 2 | 4 {
  return (instructionTable[mnemonic][0] & 3) === 3 ? 4 : 2;
}

/**
 * The instruction's bits. Trailing rounding mode (dynamic) and memory order (none) may be left out.
 * @throws AssemblyError assembly.operand when an operand does not fit.
 */
export function encodeInstruction(mnemonic: Mnemonic, values: readonly (string | number)[]): number {
  let word: number = instructionTable[mnemonic][0];
  operandKinds(mnemonic).forEach((kind, index) => {
    word |= encodeOperand(kind, values[index] ?? defaultOperand(kind) ?? '');
  });
  return word >>> 0;
}

/** The instruction in GNU syntax, close to what `objdump -M no-aliases` prints. */
export function describeInstruction(mnemonic: Mnemonic, values: readonly (string | number)[]): string {
  const kinds = operandKinds(mnemonic);
  const order = values[kinds.indexOf('order')];
  const name = order === undefined || order === '' ? mnemonic : `${mnemonic}.${order}`;
  const filled = kinds.map((kind, index) => values[index] ?? defaultOperand(kind) ?? '');
  return `${name} ${describeOperands(kinds, filled)}`.trimEnd();
}
