/** Random fragments around traps: illegal instructions, calls, changes of the mode, interrupts by software. */
import { encodeInstruction, type Mnemonic } from '@skein/guests';
import type { Random } from '../random.ts';
import type { Fragment } from '../test-program.ts';

/** Where nothing answers there is nothing to execute either. The program ends there. */
export function jumpNowhere(): Fragment {
  return (a) => a.jalr('ra', 0, 's3');
}

export function environmentCall(random: Random): Fragment {
  return random.pick<Fragment>([(a) => a.ecall(), (a) => a.ebreak(), (a) => a.cEbreak()]);
}

/** Words that no extension of this machine defines, or that only some modes may execute. */
export function illegal(random: Random): Fragment {
  switch (random.between(0, 4)) {
    case 0: {
      // custom-0, custom-1, OP-V, custom-2, custom-3, and a reserved one.
      const word =
        (random.bits64() & 0xffff_ff80n) | BigInt(random.pick([0x0b, 0x2b, 0x57, 0x5b, 0x7b, 0x6b]));
      return (a) => a.raw(Number(word), 4);
    }
    case 1: {
      // Reserved or undefined compressed words: all zero, c.addi4spn and c.lui of 0, c.lwsp to x0, quadrant 0/4, c.jr x0.
      const half = random.pick([
        0x0000, 0x0004, 0x6081, 0x4002, 0x8000, 0x8002, 0x6101, 0x9c41, 0x2001, 0x6002,
      ]);
      return (a) => a.raw(half, 2);
    }
    case 2: {
      // A known operation with its function bits changed.
      const mnemonic = random.pick(['add', 'sra', 'mulw', 'slliw', 'amoadd.w', 'fence', 'fadd.s'] as const);
      const flipped = (1 << random.between(25, 31)) | (random.oneIn(2) ? 1 << random.between(12, 14) : 0);
      const word = (sample(mnemonic) ^ flipped) >>> 0;
      return (a) => a.raw(word, 4);
    }
    case 3:
      return random.pick<Fragment>([
        (a) => a.sfenceVma('zero', 'zero'),
        (a) => a.sfenceVma('s0', 'a0'),
        (a) => a.csrrs('a0', 'satp', 'zero'),
        (a) => a.csrrs('a0', 'mhartid', 'zero'),
        (a) => a.fence('iorw', 'rw'),
      ]);
    default: {
      // System words that are not mret, sret, wfi and their like.
      const word = 0x73 | (random.pick([0x003, 0x10a, 0x202, 0x305, 0x7b2, 0x002]) << 20);
      return (a) => a.raw(word >>> 0, 4);
    }
  }
}

/** With operands whose place is not used to tell operations apart; atomics get an address register. */
function sample(mnemonic: Mnemonic): number {
  if (mnemonic === 'fence') return encodeInstruction(mnemonic, ['rw', 'rw']);
  if (mnemonic === 'slliw') return encodeInstruction(mnemonic, ['a0', 'a1', 5]);
  if (mnemonic === 'amoadd.w') return encodeInstruction(mnemonic, ['a0', 'a1', 's0']);
  if (mnemonic === 'fadd.s') return encodeInstruction(mnemonic, ['fa0', 'fa1', 'fa2']);
  return encodeInstruction(mnemonic, ['a0', 'a1', 'a2']);
}

/** Goes on in another mode, behind an mret or sret; in a mode that may not do this, three illegal instructions. */
export function changeMode(random: Random): Fragment {
  const isFromMachine = random.oneIn(2);
  const previous = random.pick(isFromMachine ? [0, 1, 3] : [0, 1]);
  return (a) => {
    const after = a.fresh('mode');
    a.la('t6', after);
    if (isFromMachine) {
      a.csrrw('zero', 'mepc', 't6');
      a.li('t5', 0x1800);
      a.csrrc('zero', 'mstatus', 't5');
      a.li('t5', previous << 11);
      a.csrrs('zero', 'mstatus', 't5');
      a.mret();
    } else {
      a.csrrw('zero', 'sepc', 't6');
      a.li('t5', 0x100);
      a.emit(previous === 1 ? 'csrrs' : 'csrrc', ['zero', 'sstatus', 't5']);
      a.sret();
    }
    a.label(after);
  };
}

/**
 * The one interrupt of a program, as its bit in mip. QEMU 7.2 takes the lowest number first where the specification
 * names another order (external, software, timer), so no program has two.
 */
export type SupervisorInterrupt = 0x2 | 0x20 | 0x200;

/** Makes the interrupt pending by software and lets it in, in some order; the harness clears what it is called for. */
export function softwareInterrupt(random: Random, interrupt: SupervisorInterrupt): Fragment {
  const enabled = random.pick([0, interrupt, interrupt, 0x888 | interrupt]);
  const status = random.pick(['mstatus', 'sstatus'] as const);
  const isPendingFirst = random.oneIn(2);
  const mie = random.pick([0x2, 0x8, 0xa]);
  const isSupervisor = random.oneIn(3);
  return (a) => {
    const raise = (): void => {
      a.li('t6', interrupt);
      a.csrrs('zero', isSupervisor ? 'sip' : 'mip', 't6');
    };
    if (isPendingFirst) raise();
    a.li('t5', enabled);
    a.csrrs('zero', isSupervisor ? 'sie' : 'mie', 't5');
    a.li('t5', mie);
    a.csrrs('zero', status, 't5');
    if (!isPendingFirst) raise();
    a.addi('a0', 'a0', 1);
  };
}

/**
 * Waits, where an interrupt is pending that the program can see, or where the mode may not wait at all. In S mode it
 * is up to TW.
 */
export function supervisorWait(): Fragment {
  return (a) => {
    const after = a.fresh('waited');
    a.csrrci('zero', 'sstatus', 2);
    a.csrrsi('zero', 'sie', 2);
    a.csrrsi('zero', 'sip', 2);
    // In U mode these do nothing but trap, and so does the wait.
    a.li('t6', 1);
    a.csrrs('t6', 'sip', 'zero');
    a.csrrs('t5', 'sie', 'zero');
    a.and('t6', 't6', 't5');
    a.beqz('t6', after);
    a.wfi();
    a.label(after);
    a.csrrci('zero', 'sip', 2);
  };
}

/** Waits for an interrupt that is pending but not let in, or that the mode may not wait for. */
export function pendingWait(): Fragment {
  return (a) => {
    a.csrrci('zero', 'mstatus', 8);
    a.csrrsi('zero', 'mie', 2);
    a.csrrsi('zero', 'mip', 2);
    a.wfi();
    a.csrrci('zero', 'mip', 2);
  };
}
