/** The kinds of random programs, and what fragments each is made of. */
import type { Random } from '../random.ts';
import type { Fragment, Mode } from '../test-program.ts';
import {
  borrowedValues,
  choosePreviousMode,
  csrAccess,
  legalValues,
  statusAccess,
  supervisorTimer,
} from './csr.ts';
import { anyShort, anyWord } from './decoding.ts';
import { floatControl, floatOperation, freshOperation, loadFloat, reservedRounding } from './float.ts';
import { arithmetic, boundedLoop, forwardJump, loadConstant } from './integer.ts';
import { atomic, loadOrStore, misalignedReservation, reservation } from './memory.ts';
import {
  changeAddressSpace,
  changeEntry,
  changePagedMode,
  clearAged,
  pagedAtomic,
  windowAddress,
} from './paging.ts';
import { changeProtection, dataAccess, type ProtectionChoice } from './protection.ts';
import { selfModifying } from './self-modifying.ts';
import {
  changeMode,
  environmentCall,
  illegal,
  jumpNowhere,
  pendingWait,
  type SupervisorInterrupt,
  softwareInterrupt,
  supervisorWait,
} from './system.ts';

export const kinds = [
  'integer',
  'decoding',
  'memory',
  'memory',
  'float',
  'float',
  'trap',
  'legal-values',
  'mode-change',
  'interrupt',
  'paging',
  'paging',
  'status-paging',
  'borrowed-mode-paging',
  'mode-change-paging',
  'self-modifying',
  'self-modifying-paging',
  'protection',
  'protection-paging',
] as const;
export type Kind = (typeof kinds)[number];

/** What fragments depend on. */
export interface Context {
  readonly random: Random;
  readonly kind: Kind;
  readonly mode: Mode;
  readonly slot: number;
  readonly interrupt: SupervisorInterrupt;
  readonly protection: ProtectionChoice;
}

type FragmentMaker = (context: Context) => Fragment;

const plain = (make: (random: Random) => Fragment): FragmentMaker => {
  return ({ random }) => make(random);
};
const withInterrupt = (make: (random: Random, interrupt: SupervisorInterrupt) => Fragment): FragmentMaker => {
  return ({ random, interrupt }) => make(random, interrupt);
};
const anyArithmetic = plain(arithmetic);
const anyAccess = plain(loadOrStore);

/** Each kind picks among these with equal chances. */
export const makers: Readonly<Record<Kind, readonly FragmentMaker[]>> = {
  integer: [anyArithmetic, anyArithmetic, anyArithmetic, plain(loadConstant), plain(forwardJump), loop, loop],
  decoding: [plain(anyWord), plain(anyWord), plain(anyShort), anyArithmetic, plain(loadConstant)],
  memory: [
    plain(misalignedReservation),
    anyAccess,
    anyAccess,
    anyAccess,
    anyArithmetic,
    plain(atomic),
    plain(reservation),
    loop,
  ],
  float: [
    ...[plain(freshOperation), plain(freshOperation), plain(freshOperation), plain(freshOperation)],
    ...[
      plain(floatOperation),
      plain(loadFloat),
      plain(floatControl),
      anyAccess,
      loop,
      plain(reservedRounding),
    ],
  ],
  trap: [
    rareJump,
    anyArithmetic,
    anyAccess,
    withInterrupt(csrAccess),
    plain(illegal),
    plain(environmentCall),
    plain(statusAccess),
    supervisorWait,
  ],
  'legal-values': [
    withInterrupt(legalValues),
    withInterrupt(csrAccess),
    plain(statusAccess),
    plain(borrowedValues),
    plain(borrowedValues),
    plain(supervisorTimer),
    pendingWait,
  ],
  'mode-change': [
    anyArithmetic,
    plain(changeMode),
    withInterrupt(csrAccess),
    plain(illegal),
    plain(environmentCall),
    anyAccess,
    supervisorWait,
  ],
  interrupt: [
    anyArithmetic,
    withInterrupt(softwareInterrupt),
    withInterrupt(csrAccess),
    plain(forwardJump),
    plain(environmentCall),
    supervisorWait,
  ],
  paging: [
    anyAccess,
    anyAccess,
    riskyAccess,
    riskyAccess,
    tableAtomic,
    tableChange,
    plain(clearAged),
    spaceChange,
  ],
  'status-paging': [
    anyAccess,
    riskyAccess,
    plain(statusAccess),
    plain(illegal),
    plain(environmentCall),
    tableChange,
    spaceChange,
  ],
  // M mode that loads and stores as S or U mode would, by MPRV.
  'borrowed-mode-paging': [
    anyAccess,
    riskyAccess,
    plain(choosePreviousMode),
    plain(statusAccess),
    tableAtomic,
    tableChange,
  ],
  'mode-change-paging': [
    pagedModeChange,
    anyAccess,
    riskyAccess,
    plain(statusAccess),
    tableChange,
    plain(environmentCall),
    plain(forwardJump),
    loop,
  ],
  protection: [
    ownDataAccess,
    ownDataAccess,
    ownDataAccess,
    otherProtection,
    plain(choosePreviousMode),
    plain(atomic),
    plain(environmentCall),
    loop,
  ],
  // No atomics: where PMP refuses one QEMU 7.2 has not set D yet, where it refuses a store it has.
  'protection-paging': [alignedAccess, alignedAccess, alignedAccess, tableChange, plain(clearAged), loop],
  'self-modifying': [patch, patch, anyArithmetic, anyAccess, plain(forwardJump), loop],
  'self-modifying-paging': [patch, patch, anyArithmetic, anyAccess, tableChange, loop],
};

function loop({ random, kind }: Context): Fragment {
  const make = kind === 'float' ? floatOperation : kind === 'memory' ? loadOrStore : arithmetic;
  return boundedLoop(
    random,
    Array.from({ length: random.between(1, 5) }, () => make(random)),
  );
}

/** An access of its own to any window, or to an address that has none. */
function riskyAccess({ random, slot }: Context): Fragment {
  return accessTo(random, windowAddress(random, slot, false));
}

/**
 * The same within one page: QEMU 7.2 asks PMP about an access that crosses into the next page as if the two were
 * neighbours in RAM.
 */
function alignedAccess({ random, slot }: Context): Fragment {
  return accessTo(random, windowAddress(random, slot, random.oneIn(2)) & ~7n);
}

function accessTo(random: Random, address: bigint): Fragment {
  const mnemonic = random.pick(['lb', 'lhu', 'lw', 'ld', 'sb', 'sh', 'sw', 'sd'] as const);
  return (a) => {
    a.li('t6', address);
    a.emit(mnemonic, ['a0', 0, 't6']);
  };
}

function tableChange({ random, mode, slot }: Context): Fragment {
  return changeEntry(random, mode, slot);
}

function rareJump({ random }: Context): Fragment {
  return random.oneIn(5) ? jumpNowhere() : arithmetic(random);
}

function ownDataAccess({ random, slot }: Context): Fragment {
  return dataAccess(random, slot);
}

function otherProtection({ random, protection }: Context): Fragment {
  return changeProtection(random, protection);
}

function pagedModeChange({ random, mode }: Context): Fragment {
  return changePagedMode(random, ownMode(mode));
}

/** Who may execute the code at its physical addresses, and whose the good windows are. */
export function ownMode(mode: Mode): Mode {
  return mode === 'M' ? 'U' : mode;
}

function spaceChange({ random, slot }: Context): Fragment {
  return changeAddressSpace(random, slot);
}

function patch({ random, kind }: Context): Fragment {
  return selfModifying(random, kind.endsWith('paging'));
}

function tableAtomic({ random, slot }: Context): Fragment {
  return pagedAtomic(random, slot);
}
