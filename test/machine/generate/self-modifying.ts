/**
 * Random fragments that write code: an instruction that lies ahead, or that just ran, is replaced by stores of all
 * sorts, directly or through another address of the same page, and runs after fence.i.
 * Source: RISC-V ISA manual, "Zifencei" Extension for Instruction-Fetch Fence.
 */
import { type Assembler, encodeInstruction, type Mnemonic } from '@skein/guests';
import type { Random } from '../random.ts';
import type { Fragment } from '../test-program.ts';
import { ramToGigaWindow } from './paging.ts';

const results = ['a0', 'a1', 't1'] as const;
/** Of those that often come in pairs, which the machine does in one go. */
const replacements: readonly Mnemonic[] = ['add', 'xor', 'addw', 'mul', 'sltu', 'andn', 'sh1add', 'min'];
const shortReplacements: readonly Mnemonic[] = ['c.add', 'c.mv'];

type Width = 'word' | 'halves' | 'bytes' | 'double' | 'atomic';

/** @param isPaged whether the code may also be written through the window that shows all RAM */
export function selfModifying(random: Random, isPaged: boolean): Fragment {
  const rd = random.pick(results);
  const before = random.between(-2048, 2047);
  const words = [replacement(random), replacement(random)] as const;
  const turns = random.between(1, 3);
  const isElsewhere = isPaged && random.oneIn(2);
  // No atomic through a window that may not be written: as in pagedAtomic.
  const widths = ['word', 'word', 'halves', 'bytes', 'double', 'atomic'] as const;
  const width = random.pick<Width>(isElsewhere ? widths.slice(0, -1) : widths);
  const isSecond = random.oneIn(2);
  return (a) => {
    const [target, top] = [a.fresh('patched'), a.fresh('again')];
    a.li('t4', turns);
    a.la('t5', target);
    if (isElsewhere) {
      a.li('t6', ramToGigaWindow);
      a.add('t5', 't5', 't6');
    }
    // Two instructions that may be a pair: either of them, or both, become others.
    if (isSecond && width !== 'double') a.addi('t5', 't5', 4);
    a.li('t6', words[0]);
    a.label(top);
    a.label(target);
    a.addi(rd, rd, before);
    a.add(rd, rd, 'a2');
    write(a, width, words);
    a.fenceI();
    a.addi('t4', 't4', -1);
    a.bgez('t4', top);
  };
}

/** 32 bits: one instruction, or two compressed ones. */
function replacement(random: Random): number {
  const rd = random.pick(results);
  if (random.oneIn(3)) {
    const [low, high] = [shortInstruction(random), shortInstruction(random)];
    return ((high << 16) | low) >>> 0;
  }
  if (random.oneIn(3)) return encodeInstruction('addi', [rd, rd, random.between(-2048, 2047)]);
  return encodeInstruction(random.pick(replacements), [rd, random.pick(results), random.pick(['a2', 'a3'])]);
}

function shortInstruction(random: Random): number {
  return encodeInstruction(random.pick(shortReplacements), [random.pick(results), random.pick(['a2', 'a3'])]);
}

/** The first word is in t6, the place in t5. An atomic where the code is not aligned traps, and changes nothing. */
function write(a: Assembler, width: Width, [first, second]: readonly [number, number]): void {
  switch (width) {
    case 'word':
      a.sw('t6', 0, 't5');
      break;
    case 'halves':
      a.sh('t6', 0, 't5');
      a.srli('t3', 't6', 16);
      a.sh('t3', 2, 't5');
      break;
    case 'bytes':
      for (let at = 0; at < 4; at++) {
        a.srli('t3', 't6', at * 8);
        a.sb('t3', at, 't5');
      }
      break;
    case 'double':
      a.li('t3', (BigInt(second) << 32n) | BigInt(first));
      a.sd('t3', 0, 't5');
      break;
    case 'atomic':
      a.amoswapW('t3', 't6', 't5');
      break;
  }
}
