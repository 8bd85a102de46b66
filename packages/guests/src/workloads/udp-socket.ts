/** A UDP socket as the workloads open it. Source: Linux uapi, linux/in.h, asm-generic/fcntl.h (O_NONBLOCK). */
import type { Assembler } from '../assembler/assembler.ts';
import { requiredNumber } from './arguments.ts';
import { inet } from './ipv4-address.ts';
import { systemCall } from './linux.ts';
import { endLine, printDecimal, printText } from './text-output.ts';

export const socketAddressBytes = 16;
const socketDatagram = 2;
const socketNonblocking = 0x800;
const portMax = 65_535;

export interface SocketOptions {
  /** Which argument on the command line is the port. */
  readonly portArgument: number;
  /** Ours, or the peer's. */
  readonly call: 'bind' | 'connect';
  /** Reads and writes wait. */
  readonly isWaiting: boolean;
}

/** In main: s2 becomes a socket at the address in a0 (as it lies in memory). At the stack pointer: the socket's address. */
export function openSocket(a: Assembler, { portArgument, call, isWaiting }: SocketOptions): void {
  a.sw('a0', 4, 'sp');
  requiredNumber(a, portArgument, 's2', 1);
  a.li('t0', portMax);
  a.bltu('t0', 's2', 'usage.near');
  a.li('t0', inet);
  a.sh('t0', 0, 'sp');
  // Network order.
  a.srli('t0', 's2', 8);
  a.sb('t0', 2, 'sp');
  a.sb('s2', 3, 'sp');
  a.sd('zero', 8, 'sp');
  a.li('a0', inet);
  a.li('a1', isWaiting ? socketDatagram : socketDatagram | socketNonblocking);
  a.li('a2', 0);
  systemCall(a, 'socket');
  a.bltz('a0', 'socket.refused');
  a.mv('s2', 'a0');
  a.mv('a1', 'sp');
  a.li('a2', socketAddressBytes);
  systemCall(a, call);
  a.bltz('a0', 'socket.refused');
}

/** Behind the end of main: says what the kernel refused, and returns 1. */
export function emitRefusal(a: Assembler, program: string): void {
  a.label('socket.refused');
  a.sub('s2', 'zero', 'a0');
  printText(a, `${program}: no socket at this address and port, error `);
  printDecimal(a, 's2');
  endLine(a);
  a.li('a0', 1);
  a.j('main.return');
}
