/**
 * The bare-metal program around a batch: for each slot it sets registers and CSRs from the descriptor, enters the
 * program in its mode, logs every trap and resumes behind the instruction, and at the program's end leaves a record.
 * Traps that are delegated to S mode arrive at a stub that calls M mode, which logs and then lets the stub's own sret
 * resume. At the end of the batch it turns the machine off; the host reads the records out of RAM.
 */
import {
  type Assembler,
  createAssembler,
  fRegisters,
  type Program,
  type XRegister,
  xRegisters,
} from '@skein/guests';
import { otherModeBit } from './generate/paging.ts';
import {
  clintTimerCompare,
  codeBase,
  codeBytes,
  descriptorBase,
  descriptorBytes,
  finisherAddress,
  finisherPass,
  harnessAddress,
  slotsMax,
} from './memory-map.ts';
import {
  descriptor,
  finalCsrNames,
  initialCsrNames,
  record,
  trapCsrNames,
  trapsMax,
  vectorCount,
} from './record-layout.ts';

const causeBreakpoint = 3;
const modifyPrivilege = 1 << 17;
const trapSret = 1 << 22;
const floatStateBits = 0x6000;
/** Everything, as a range of the greatest power of two. QEMU 7.2 would keep more bits than an address has. */
const permitAll = 0x1fn;
const addressesAll = (1n << 54n) - 1n;

/** @param count programs in the batch, in slots 0 to count - 1 */
export function buildHarness(count: number): Program {
  const a = createAssembler();
  emitStart(a, count);
  emitEnterProgram(a);
  emitTrapHandler(a);
  emitFinish(a);
  return a.assemble({ textAddress: harnessAddress });
}

function emitStart(a: Assembler, count: number): void {
  a.la('t0', 'trap');
  a.csrrw('zero', 'mtvec', 't0');
  // The last PMP entry gives S and U everything that a program's own entries do not take.
  a.li('t0', addressesAll);
  a.csrrw('zero', 'pmpaddr15', 't0');
  a.li('t0', permitAll << 56n);
  a.csrrw('zero', 'pmpcfg2', 't0');
  a.li('t0', clintTimerCompare);
  a.li('t1', -1);
  a.sd('t1', 0, 't0');
  a.la('t0', 'current');
  a.li('t1', descriptorBase);
  a.sd('t1', 0, 't0');
  a.la('t0', 'limit');
  a.li('t1', descriptorBase + count * descriptorBytes);
  a.sd('t1', 0, 't0');
  a.section('data');
  a.label('current');
  a.dword(0n);
  a.label('limit');
  a.dword(0n);
  a.section('text');
}

function emitEnterProgram(a: Assembler): void {
  a.label('next');
  a.la('t0', 'current');
  a.ld('s0', 0, 't0');
  a.la('t0', 'limit');
  a.ld('t1', 0, 't0');
  a.bne('s0', 't1', 'enter');
  a.li('t0', finisherAddress);
  a.li('t1', finisherPass);
  a.sw('t1', 0, 't0');
  a.label('off');
  a.j('off');
  a.label('enter');
  a.li('t0', floatStateBits);
  a.csrrs('zero', 'mstatus', 't0');
  for (let index = 0; index < 32; index++)
    a.emit('fld', [fRegisters[index] ?? '', descriptor.floats + index * 8, 's0']);
  for (const name of ['sepc', 'scause', 'stval', 'mip', 'menvcfg', 'senvcfg'] as const)
    a.csrrw('zero', name, 'zero');
  a.li('t0', -1);
  a.csrrw('zero', 'stimecmp', 't0');
  for (const [csr, label, mode] of [
    ['stvec', 'stub', descriptor.supervisorVectors],
    ['mtvec', 'trap', descriptor.machineVectors],
  ] as const) {
    a.la('t0', label);
    a.ld('t1', mode, 's0');
    a.or('t0', 't0', 't1');
    a.csrrw('zero', csr, 't0');
  }
  initialCsrNames.forEach((name, index) => {
    a.ld('t0', descriptor.csrs + index * 8, 's0');
    a.csrrw('zero', name, 't0');
  });
  a.sfenceVma('zero', 'zero');
  a.fenceI();
  a.ld('t0', descriptor.entry, 's0');
  a.csrrw('zero', 'mepc', 't0');
  a.ld('t1', descriptor.record, 's0');
  a.csrrw('zero', 'mscratch', 't1');
  a.ld('t0', descriptor.end, 's0');
  a.sd('t0', record.end, 't1');
  a.mv('t6', 's0');
  loadRegisters(a, descriptor.registers);
  a.mret();
}

/** mscratch holds the record's address while a program runs. */
function emitTrapHandler(a: Assembler): void {
  emitVectors(a);
  a.label('trap.entry');
  a.csrrw('t6', 'mscratch', 't6');
  for (const [index, register] of xRegisters.slice(0, 31).entries()) {
    a.sd(register, record.registers + index * 8, 't6');
  }
  a.csrrw('t0', 'mscratch', 't6');
  a.sd('t0', record.registers + 31 * 8, 't6');
  a.mv('s0', 't6');
  a.ld('t0', record.trapCount, 's0');
  a.addi('t1', 't0', 1);
  a.sd('t1', record.trapCount, 's0');
  a.slli('t2', 't0', 6);
  a.add('t2', 't2', 's0');
  trapCsrNames.forEach((name, index) => {
    a.csrrs('t3', name, 'zero');
    a.sd('t3', record.traps + index * 8, 't2');
  });
  a.li('t2', trapsMax);
  a.bgeu('t1', 't2', 'finish.near');
  emitDecide(a);
}

/**
 * Both tables begin with the entry of exceptions, and of everything while their mode is direct. The place in the one of
 * S mode shows as mepc of its call; M mode's keeps count of the causes before it goes on.
 */
function emitVectors(a: Assembler): void {
  const causes = Array.from({ length: vectorCount }, (_, cause) => cause);
  // QEMU takes any multiple of 4 as a table, and so do we.
  a.align(4);
  a.label('stub');
  for (const _ of causes) a.ecall();
  a.label('stub.return');
  a.sret();
  a.align(4);
  a.label('trap');
  a.j('trap.entry');
  for (const cause of causes.slice(1)) a.j(`trap.vector.${cause}`);
  for (const cause of causes.slice(1)) {
    a.label(`trap.vector.${cause}`);
    a.csrrw('t6', 'mscratch', 't6');
    a.sd('t5', record.spare, 't6');
    a.ld('t5', record.vectors, 't6');
    a.slli('t5', 't5', 4);
    a.ori('t5', 't5', cause);
    a.sd('t5', record.vectors, 't6');
    a.ld('t5', record.spare, 't6');
    a.csrrw('t6', 'mscratch', 't6');
    a.j('trap.entry');
  }
}

/** Ends the program, or skips the instruction that trapped, in whichever mode it did. */
function emitDecide(a: Assembler): void {
  a.csrrs('s1', 'mcause', 'zero');
  a.csrrs('s2', 'mepc', 'zero');
  physical(a, 's3', 's2');
  a.bltz('s1', 'trap.interrupt');
  a.ld('t0', record.end, 's0');
  a.bne('s3', 't0', 'trap.not-end');
  a.addi('t0', 's1', -causeBreakpoint);
  a.bnez('t0', 'trap.not-end');
  a.label('finish.near');
  a.j('finish');
  a.label('trap.not-end');
  a.la('t0', 'stub');
  a.bltu('s2', 't0', 'trap.own');
  a.la('t0', 'stub.return');
  a.bltu('s2', 't0', 'trap.delegated');
  a.label('trap.own');
  a.mv('a0', 's2');
  a.call('skip');
  a.csrrw('zero', 'mepc', 'a0');
  a.j('trap.resume');
  a.label('trap.delegated');
  a.la('t0', 'stub.return');
  a.csrrw('zero', 'mepc', 't0');
  a.csrrs('s1', 'scause', 'zero');
  a.bltz('s1', 'trap.interrupt');
  a.csrrs('a0', 'sepc', 'zero');
  physical(a, 's3', 'a0');
  a.ld('t0', record.end, 's0');
  a.beq('s3', 't0', 'finish.near');
  a.call('skip');
  a.csrrw('zero', 'sepc', 'a0');
  a.j('trap.resume');
  a.label('trap.interrupt');
  a.csrrw('zero', 'mip', 'zero');
  a.label('trap.resume');
  // Behind mret MPRV sees with other eyes than ours; QEMU 7.2 keeps what it translated for us until a fence.
  a.li('t0', modifyPrivilege);
  a.csrrs('t1', 'mstatus', 'zero');
  a.and('t0', 't0', 't1');
  a.beqz('t0', 'trap.restore');
  a.sfenceVma('zero', 'zero');
  a.label('trap.restore');
  a.mv('t6', 's0');
  // The stub's sret is illegal under TSR. M mode's never is, and does the same.
  a.csrrs('t0', 'mepc', 'zero');
  a.la('t1', 'stub.return');
  a.bne('t0', 't1', 'trap.return');
  a.li('t0', trapSret);
  a.csrrs('t1', 'mstatus', 'zero');
  a.and('t0', 't0', 't1');
  a.beqz('t0', 'trap.return');
  loadRegisters(a, record.registers);
  a.sret();
  a.label('trap.return');
  loadRegisters(a, record.registers);
  a.mret();
  // skip(a0 address) -> a0 address of the next instruction; ends the program if that is not its code.
  a.label('skip');
  physical(a, 's3', 'a0');
  a.li('t0', codeBase);
  a.bltu('s3', 't0', 'finish.near');
  a.li('t0', codeBase + slotsMax * codeBytes);
  a.bgeu('s3', 't0', 'finish.near');
  a.lhu('t0', 0, 's3');
  a.addi('a0', 'a0', 2);
  a.andi('t0', 't0', 3);
  a.li('t1', 3);
  a.bne('t0', 't1', 'skip.short');
  a.addi('a0', 'a0', 2);
  a.label('skip.short');
  a.ret();
}

/** Where code that is executed at `virtual` lies. Changes t5. */
function physical(a: Assembler, rd: XRegister, virtual: XRegister): void {
  a.li('t5', ~otherModeBit);
  a.and(rd, virtual, 't5');
}

/** The registers are in the record already, from the last trap. */
function emitFinish(a: Assembler): void {
  a.label('finish');
  finalCsrNames.forEach((name, index) => {
    // Reading fcsr needs the floating-point unit on, which changes mstatus: that is read before.
    if (name === 'fcsr') {
      a.li('t1', floatStateBits);
      a.csrrs('zero', 'mstatus', 't1');
    }
    a.csrrs('t0', name, 'zero');
    a.sd('t0', record.csrs + index * 8, 's0');
  });
  for (let index = 0; index < 32; index++)
    a.emit('fsd', [fRegisters[index] ?? '', record.floats + index * 8, 's0']);
  a.csrrw('zero', 'satp', 'zero');
  a.csrrw('zero', 'mstatus', 'zero');
  a.la('t0', 'current');
  a.ld('t1', 0, 't0');
  a.addi('t1', 't1', descriptorBytes);
  a.sd('t1', 0, 't0');
  a.j('next');
}

/** All registers from the block at t6, itself last. */
function loadRegisters(a: Assembler, offset: number): void {
  for (const [index, register] of xRegisters.entries()) {
    if (index > 0) a.ld(register, offset + index * 8, 't6');
  }
}
