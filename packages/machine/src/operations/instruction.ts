/**
 * What the table of operations is written in. An instruction has a name, lengths, perhaps a 32-bit encoding and one
 * effect; an operation is what stands in a decoded entry: an instruction of one length and, for jumps, of one reach.
 * Effects are AssemblyScript expressions over the words rs1, rs2, imm and pc, each a u64. The generator puts reads of
 * the entry in their place. Source: design, "Interpreter" (generate it from one table of operations).
 */
import type { AtomicBytes, WordEncoding } from './encoding.ts';

/** Bytes of an instruction. */
export type Length = 2 | 4;

/** Bytes of a memory access. */
export type AccessBytes = 1 | 2 | 4 | 8;

export type RegisterFile = 'integer' | 'float';

export type Effect =
  /** rd becomes `value`; nothing else happens. */
  | { readonly kind: 'result'; readonly value: string }
  /** rd becomes what stands at rs1 + imm. */
  | {
      readonly kind: 'load';
      readonly bytes: AccessBytes;
      readonly isSigned: boolean;
      readonly file: RegisterFile;
    }
  /** rs2 is written to rs1 + imm. */
  | { readonly kind: 'store'; readonly bytes: AccessBytes; readonly file: RegisterFile }
  /** rd becomes what stands at rs1, which is reserved. */
  | { readonly kind: 'load-reserved'; readonly bytes: AtomicBytes }
  /** rs2 is written to rs1 if that is still reserved; rd becomes 0 if so, else 1. */
  | { readonly kind: 'store-conditional'; readonly bytes: AtomicBytes }
  /** rd becomes what stands at rs1, where `value` of `old` and rs2 is written. */
  | { readonly kind: 'read-modify-write'; readonly bytes: AtomicBytes; readonly value: string }
  /** Goes on at pc + imm if `condition` holds. */
  | { readonly kind: 'branch'; readonly condition: string }
  /** Goes on at pc + imm. */
  | { readonly kind: 'jump'; readonly links: boolean }
  /** Goes on at `target`. */
  | { readonly kind: 'indirect'; readonly links: boolean; readonly target: string }
  /** Nothing that this machine could notice. */
  | { readonly kind: 'nothing' }
  /** Not an instruction: the end of a page's entries, where going on is a jump to the next page. */
  | { readonly kind: 'page-end' }
  /** No fast path: the interpreter leaves its switch and `call` is made, with ip and pc in scope. */
  | { readonly kind: 'slow'; readonly call: string };

export interface Instruction {
  readonly name: string;
  /** None for what is no instruction of the guest's. */
  readonly lengths: readonly Length[];
  /** Compressed encodings abbreviate several operations each, irregularly: assembly/execute/compressed.ts. */
  readonly encoding?: WordEncoding;
  readonly effect: Effect;
  /** The instruction that does the same but for rd, for rd = x0. Default: itself; NOP for a `result`. */
  readonly withoutResult?: string;
}

/** How far a jump goes: `local` stays in its page and carries a distance in entries' bytes. */
export type Reach = 'local' | 'far';

export interface Operation {
  /** ADDI4, BEQ_LOCAL4: the instruction, its reach, its bytes. */
  readonly name: string;
  readonly instruction: Instruction;
  readonly length: Length | 0;
  readonly reach?: Reach;
}

/** The name of an instruction's operation of one length. */
export function operationName(name: string, length: Length | 0, reach?: Reach): string {
  const suffix = reach === undefined ? '' : `_${reach.toUpperCase()}`;
  return `${name}${suffix}${length === 0 ? '' : length}`;
}

/** The operations of an instruction, in the order in which they are numbered. */
export function operationsOf(instruction: Instruction): Operation[] {
  const { name, effect, lengths } = instruction;
  if (lengths.length === 0) return [{ name, instruction, length: 0 }];
  if (effect.kind !== 'branch' && effect.kind !== 'jump') {
    return lengths.map((length) => ({ name: operationName(name, length), instruction, length }));
  }
  const reaches: readonly Reach[] = ['local', 'far'];
  return reaches.flatMap((reach) =>
    lengths.map((length) => ({ name: operationName(name, length, reach), instruction, length, reach })),
  );
}
