/** IPv4 addresses on a command line. Source: Linux uapi, linux/socket.h and linux/in.h. Omitted: names. */
import type { Assembler } from '../assembler/assembler.ts';

/** The family of such addresses. */
export const inet = 2;

/** address.parse(a0 text) -> a0 address as it lies in memory, a1 1 if the text is a dotted quad */
export function defineParseIpv4Address(a: Assembler): void {
  a.label('address.parse');
  a.mv('t0', 'a0');
  a.li('a0', 0);
  a.li('a1', 0);
  a.li('t1', 0);
  a.li('t5', 10);
  a.label('address.part');
  a.li('t2', 0);
  a.li('t6', 0);
  a.label('address.digit');
  a.lbu('t3', 0, 't0');
  a.addi('t4', 't3', -'0'.charCodeAt(0));
  a.bgeu('t4', 't5', 'address.part-end');
  a.mul('t2', 't2', 't5');
  a.add('t2', 't2', 't4');
  a.sltiu('t4', 't2', 256);
  a.beqz('t4', 'address.no-address');
  a.addi('t0', 't0', 1);
  a.li('t6', 1);
  a.j('address.digit');
  a.label('address.part-end');
  a.beqz('t6', 'address.no-address');
  a.sll('t2', 't2', 't1');
  a.or('a0', 'a0', 't2');
  a.addi('t1', 't1', 8);
  a.li('t4', 32);
  a.beq('t1', 't4', 'address.address-end');
  a.addi('t4', 't3', -'.'.charCodeAt(0));
  a.bnez('t4', 'address.no-address');
  a.addi('t0', 't0', 1);
  a.j('address.part');
  a.label('address.address-end');
  a.sltiu('a1', 't3', 1);
  a.label('address.no-address');
  a.ret();
}
