/**
 * What the workloads know of Linux: system call numbers and constants, and how a function is framed.
 * Source: Linux uapi headers asm-generic/unistd.h, signal.h, poll.h, mman.h, errno.h, random.h; RISC-V ELF psABI, "Procedure Calling
 * Convention". Functions here take a0.., return a0 and a1, and keep the s registers.
 */
import type { Assembler } from '../assembler/assembler.ts';
import type { XRegister } from '../assembler/registers.ts';

const systemCalls = {
  ioctl: 29,
  openat: 56,
  read: 63,
  write: 64,
  ppoll: 73,
  exit: 94,
  clockSettime: 112,
  clockGettime: 113,
  clockNanosleep: 115,
  sigaction: 134,
  getpid: 172,
  socket: 198,
  bind: 200,
  connect: 203,
  munmap: 215,
  mremap: 216,
  clone: 220,
  mmap: 222,
  mprotect: 226,
  riscvFlushIcache: 259,
  wait4: 260,
} as const;

export const clockRealtime = 0;
export const clockMonotonic = 1;
export const timerAbsolute = 1;
export const signals = {
  interrupt: 2,
  illegal: 4,
  user1: 10,
  terminate: 15,
  child: 17,
  terminalInput: 21,
} as const;
export const pollInput = 1;
export const errors = { interrupted: -4, again: -11, fault: -14 } as const;
/** What a mapping's pages may be used for. */
export const protection = { read: 1, readWrite: 3, readWriteExecute: 7 } as const;
export const mapPrivateAnonymous = 0x22;
export const mapFixed = 0x10;

/** The arguments are in a0 to a5 already; changes a7 and a0. */
export function systemCall(a: Assembler, name: keyof typeof systemCalls): void {
  a.li('a7', systemCalls[name]);
  a.ecall();
}

export interface Frame {
  readonly saves: readonly XRegister[];
  /** Bytes at the stack pointer for the body's own use. */
  readonly localBytes?: number;
}

/** A function with its prologue and epilogue; the body may jump to the label `<name>.return`. */
export function defineFunction(a: Assembler, name: string, frame: Frame, body: () => void): void {
  const saved: readonly XRegister[] = ['ra', ...frame.saves];
  const localBytes = Math.ceil((frame.localBytes ?? 0) / 8) * 8;
  const frameBytes = Math.ceil((localBytes + saved.length * 8) / 16) * 16;
  a.label(name);
  a.addi('sp', 'sp', -frameBytes);
  for (const [index, register] of saved.entries()) a.sd(register, localBytes + index * 8, 'sp');
  body();
  a.label(`${name}.return`);
  for (const [index, register] of saved.entries()) a.ld(register, localBytes + index * 8, 'sp');
  a.addi('sp', 'sp', frameBytes);
  a.ret();
}

/** A zeroed variable or buffer, aligned to 16 bytes. */
export function reserveZeroed(a: Assembler, label: string, bytes: number): void {
  a.section('bss');
  a.align(16);
  a.label(label);
  a.space(bytes);
  a.section('text');
}
