/** Random fragments of integer work: RV64I, M, Zba, Zbb, Zbs, compressed forms, branches, jumps, bounded loops. */
import type { Mnemonic } from '@skein/guests';
import type { Random } from '../random.ts';
import type { Fragment } from '../test-program.ts';
import {
  anyDestination,
  anySource,
  loopRegister,
  nonzeroDestination,
  nonzeroSource,
  shortDestination,
  shortSource,
} from './register-choice.ts';

const threeRegisters: readonly Mnemonic[] = [
  ...(['add', 'sub', 'sll', 'slt', 'sltu', 'xor', 'srl', 'sra', 'or', 'and'] as const),
  ...(['addw', 'subw', 'sllw', 'srlw', 'sraw'] as const),
];
const multiplication: readonly Mnemonic[] = [
  ...(['mul', 'mulh', 'mulhsu', 'mulhu', 'div', 'divu', 'rem', 'remu'] as const),
  ...(['mulw', 'divw', 'divuw', 'remw', 'remuw'] as const),
];
const bitManipulation: readonly Mnemonic[] = [
  ...(['add.uw', 'sh1add', 'sh2add', 'sh3add', 'sh1add.uw', 'sh2add.uw', 'sh3add.uw'] as const),
  ...(['andn', 'orn', 'xnor', 'max', 'maxu', 'min', 'minu', 'rol', 'rolw', 'ror', 'rorw'] as const),
  ...(['bclr', 'bext', 'binv', 'bset'] as const),
];
const singleOperand: readonly Mnemonic[] = [
  ...(['clz', 'clzw', 'ctz', 'cpop', 'cpopw'] as const),
  ...(['sext.b', 'sext.h', 'zext.h', 'orc.b', 'rev8'] as const),
];
const longShifts: readonly Mnemonic[] = [
  ...(['slli', 'srli', 'srai', 'slli.uw', 'rori', 'bclri', 'bexti', 'binvi', 'bseti'] as const),
];
const wordShifts: readonly Mnemonic[] = ['slliw', 'srliw', 'sraiw', 'roriw'];
const immediates: readonly Mnemonic[] = ['addi', 'slti', 'sltiu', 'xori', 'ori', 'andi', 'addiw'];
const branches: readonly Mnemonic[] = ['beq', 'bne', 'blt', 'bge', 'bltu', 'bgeu'];
const shortArithmetic: readonly Mnemonic[] = ['c.sub', 'c.xor', 'c.or', 'c.and', 'c.subw', 'c.addw'];

const immediate12 = (random: Random): number =>
  random.oneIn(4) ? random.pick([-2048, 2047, -1, 0, 1, 31, 32, 63]) : random.between(-2048, 2047);

/** One instruction that only reads and writes registers. */
export function arithmetic(random: Random): Fragment {
  const rd = anyDestination(random);
  const [rs1, rs2] = [anySource(random), anySource(random)];
  switch (random.between(0, 12)) {
    case 0:
    case 1: {
      const mnemonic = random.pick(threeRegisters);
      return (a) => a.emit(mnemonic, [rd, rs1, rs2]);
    }
    case 2:
    case 3: {
      const mnemonic = random.pick(multiplication);
      return (a) => a.emit(mnemonic, [rd, rs1, rs2]);
    }
    case 4: {
      const mnemonic = random.pick(immediates);
      const value = immediate12(random);
      return (a) => a.emit(mnemonic, [rd, rs1, value]);
    }
    case 5: {
      const mnemonic = random.pick(longShifts);
      const count = random.between(0, 63);
      return (a) => a.emit(mnemonic, [rd, rs1, count]);
    }
    case 6: {
      const mnemonic = random.pick(wordShifts);
      const count = random.between(0, 31);
      return (a) => a.emit(mnemonic, [rd, rs1, count]);
    }
    case 7: {
      const mnemonic = random.pick(['lui', 'auipc'] as const);
      const value = random.between(0, 0xfffff);
      return (a) => a.emit(mnemonic, [rd, value]);
    }
    case 8:
    case 9: {
      const mnemonic = random.pick(bitManipulation);
      return (a) => a.emit(mnemonic, [rd, rs1, rs2]);
    }
    case 10:
      return singleOperandOperation(random);
    default:
      return compressedArithmetic(random);
  }
}

function singleOperandOperation(random: Random): Fragment {
  const rd = anyDestination(random);
  const rs1 = anySource(random);
  if (!random.oneIn(singleOperand.length)) {
    const mnemonic = random.pick(singleOperand);
    return (a) => a.emit(mnemonic, [rd, rs1]);
  }
  // Where the lower word is zero QEMU 7.2 counts on in the upper one; 32 is right.
  const set = random.between(0, 31);
  return (a) => {
    a.bseti('t6', rs1, set);
    a.ctzw(rd, 't6');
  };
}

function compressedArithmetic(random: Random): Fragment {
  const rd = nonzeroDestination(random);
  const short = shortDestination(random);
  const value = random.between(-32, 31);
  const shift = random.between(1, 63);
  switch (random.between(0, 10)) {
    case 10: {
      const step = random.between(1, 31) * 16;
      return (a) => {
        a.cAddi16sp(step);
        a.cNop();
        a.cMv(rd, 'sp');
        a.cAddi16sp(-step);
      };
    }
    case 0: {
      const mnemonic = random.pick(shortArithmetic);
      const source = shortSource(random);
      return (a) => a.emit(mnemonic, [short, source]);
    }
    case 1:
      return (a) => a.emit('c.addi', [rd, value === 0 ? 1 : value]);
    case 2:
      return (a) => a.cAddiw(rd, value);
    case 3:
      return (a) => a.cLi(rd, value);
    case 4:
      return (a) => a.cLui(rd, value === 0 ? 1 : value);
    case 5: {
      const mnemonic = random.pick(['c.srli', 'c.srai'] as const);
      return (a) => a.emit(mnemonic, [short, shift]);
    }
    case 6:
      return (a) => a.cAndi(short, value);
    case 7:
      return (a) => a.cSlli(rd, shift);
    case 8: {
      const mnemonic = random.pick(['c.mv', 'c.add'] as const);
      const source = nonzeroSource(random);
      return (a) => a.emit(mnemonic, [rd, source]);
    }
    default: {
      const step = random.between(1, 255) * 4;
      return (a) => a.cAddi4spn(short, step);
    }
  }
}

/** Constants to registers, so that interesting values keep coming. */
export function loadConstant(random: Random): Fragment {
  const rd = nonzeroDestination(random);
  const value = random.interesting64();
  return (a) => a.li(rd, value);
}

/** A branch or jump over a few instructions; taken or not, both paths meet again. */
export function forwardJump(random: Random): Fragment {
  const skipped = Array.from({ length: random.between(0, 4) }, () => arithmetic(random));
  const branch = random.pick(branches);
  const [rs1, rs2] = [anySource(random), anySource(random)];
  const short = shortSource(random);
  const link = random.pick(['zero', 'ra', 't0', 'a3'] as const);
  const form = random.between(0, 8);
  const lowBit = random.between(0, 1);
  return (a) => {
    const end = a.fresh('over');
    if (form === 0) a.jal(link, end);
    else if (form === 1) a.cJ(end);
    else if (form === 2) a.cBeqz(short, end);
    else if (form === 3) a.cBnez(short, end);
    else if (form <= 5) {
      a.la('t6', end);
      // The lowest bit of an indirect target is ignored.
      if (form === 4) a.jalr(link, lowBit, 't6');
      else a.emit(lowBit === 0 ? 'c.jr' : 'c.jalr', ['t6']);
    } else a.emit(branch, [rs1, rs2, end]);
    for (const fragment of skipped) fragment(a);
    a.label(end);
  };
}

/** A loop of a few turns around fragments that do not touch its counter. */
export function boundedLoop(random: Random, body: readonly Fragment[]): Fragment {
  const turns = random.between(1, 20);
  const isShort = random.oneIn(2);
  return (a) => {
    const top = a.fresh('turn');
    a.li(loopRegister, turns);
    a.label(top);
    for (const fragment of body) fragment(a);
    if (isShort) a.cAddi(loopRegister, -1);
    else a.addi(loopRegister, loopRegister, -1);
    a.bnez(loopRegister, top);
  };
}
