/** A kernel of a few instructions, in the format of a RISC-V Linux Image. */
import { type Assembler, createAssembler } from '@skein/guests';

export const uartAddress = 0x1000_0000;
export const testFinisherAddress = 0x10_0000;

const headerBytes = 64;
const imageAddress = 0x8020_0000;
const sizeOffset = 16;
const magicOffset = 0x38;
const magic = 0x0543_5352;

/** What `emit` assembles is entered right behind the header. Linux, Documentation/arch/riscv/boot-image-header.rst. */
export function tinyImage(emit: (a: Assembler) => void): Uint8Array {
  const a = createAssembler();
  a.j('start');
  a.nop();
  for (let at = 8; at < headerBytes; at += 4) a.nop();
  a.label('start');
  emit(a);
  const { text } = a.assemble({ textAddress: imageAddress });
  const image = Uint8Array.from(text.bytes);
  const view = new DataView(image.buffer);
  for (let at = 8; at < headerBytes; at += 8) view.setBigUint64(at, 0n, true);
  view.setBigUint64(sizeOffset, BigInt(image.length), true);
  view.setUint32(magicOffset, magic, true);
  return image;
}

/** Ends the machine with an exit code, through the board's test finisher. */
export function emitExit(a: Assembler, exitCode: number): void {
  a.li('t0', testFinisherAddress);
  a.li('t1', exitCode === 0 ? 0x5555 : (exitCode << 16) | 0x3333);
  a.sw('t1', 0, 't0');
  a.label('stay');
  a.j('stay');
}

/** Says each byte again that is typed, and ends behind a full stop. */
export function echoImage(exitCode: number): Uint8Array {
  return tinyImage((a) => {
    a.li('t0', uartAddress);
    a.li('t3', '.'.charCodeAt(0));
    a.label('wait');
    a.lbu('t1', 5, 't0');
    a.andi('t1', 't1', 1);
    a.beqz('t1', 'wait');
    a.lbu('t2', 0, 't0');
    a.sb('t2', 0, 't0');
    a.bne('t2', 't3', 'wait');
    emitExit(a, exitCode);
  });
}
