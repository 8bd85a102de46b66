import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { createAssembler } from './assembler.ts';
import { elfExecutable } from './elf.ts';
import { type LoadStep, loadImmediateSteps } from './load-immediate.ts';
import { flatImage } from './program.ts';

function words(bytes: Uint8Array): readonly string[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  return Array.from({ length: bytes.length / 4 }, (_, index) => view.getUint32(index * 4, true).toString(16));
}

function evaluate(steps: readonly LoadStep[]): bigint {
  let value = 0n;
  for (const step of steps) {
    if (step.kind === 'lui') value = BigInt.asIntN(32, BigInt(step.upper) << 12n);
    else if (step.kind === 'slli') value = BigInt.asIntN(64, value << BigInt(step.shift));
    else if (step.kind === 'addi') value = BigInt.asIntN(64, value + BigInt(step.immediate));
    else value = BigInt.asIntN(32, value + BigInt(step.immediate));
  }
  return value;
}

describe('li', () => {
  test('gives every 64-bit constant in at most eight instructions', () => {
    const edges = [
      0n,
      -1n,
      2047n,
      2048n,
      -2048n,
      -2049n,
      0x7fff_ffffn,
      0x8000_0000n,
      0xffff_ffffn,
      1n << 63n,
    ];
    const constants = fc.oneof(fc.bigInt({ min: 0n, max: (1n << 64n) - 1n }), fc.constantFrom(...edges));
    fc.assert(
      fc.property(constants, (constant) => {
        const steps = loadImmediateSteps(constant);
        expect(evaluate(steps)).toBe(BigInt.asIntN(64, constant));
        expect(steps.length).toBeLessThanOrEqual(8);
      }),
    );
  });

  test('refuses a number that is not exact', () => {
    expect(() => createAssembler().li('a0', 2 ** 60)).toThrow(/safe integers/);
  });
});

describe('labels', () => {
  test('resolve backwards and forwards, in compressed forms too', () => {
    const a = createAssembler();
    a.label('top');
    a.cBeqz('a0', 'end');
    a.cJ('top');
    a.beq('a0', 'a1', 'top');
    a.label('end');
    a.jal('ra', 'top');
    const { bytes } = a.assemble({ textAddress: 0 }).text;
    // Made by GNU as: c.beqz a0,end; c.j top; beq a0,a1,top; end: jal ra,top
    expect(Buffer.from(bytes).toString('hex')).toBe('01c5fdbfe30eb5feeff09fff');
  });

  test('reach data relative to the program counter', () => {
    const a = createAssembler();
    a.la('a0', 'value');
    a.ret();
    a.section('data');
    a.dword('value');
    a.label('value');
    a.dword(0x1122_3344_5566_7788n);
    const program = a.assemble({ textAddress: 0x8000_0000, dataAlignment: 4096 });
    expect(words(program.text.bytes)).toEqual(['1517', '850513', '8067']);
    expect(program.data.address).toBe(0x8000_1000);
    expect(words(program.data.bytes)).toEqual(['80001008', '0', '55667788', '11223344']);
    expect(flatImage(program).length).toBe(4096 + 16);
  });

  test('are refused when missing, defined twice or out of reach', () => {
    const missing = createAssembler();
    missing.j('nowhere');
    expect(() => missing.assemble({ textAddress: 0 })).toThrow(/nowhere is not defined/);
    const twice = createAssembler();
    twice.label('here');
    expect(() => twice.label('here')).toThrow(/defined twice/);
    const far = createAssembler();
    far.beqz('a0', 'far');
    far.space(8192);
    far.label('far');
    expect(() => far.assemble({ textAddress: 0 })).toThrow(/far is out of reach, 8196 bytes away/);
  });
});

describe('an ELF file', () => {
  test('holds header, text and data where its program headers say', () => {
    const a = createAssembler();
    a.label('start');
    a.ret();
    a.section('data');
    a.word(7);
    a.section('bss');
    a.label('room');
    a.space(64);
    const program = a.assemble({ textAddress: 0x10000, dataAlignment: 4096 });
    const file = elfExecutable(program, 'start');
    const view = new DataView(file.buffer);
    expect(Buffer.from(file.subarray(0, 20)).toString('hex')).toBe(
      '7f454c46020101000000000000000000' + '0200f300',
    );
    expect(view.getBigUint64(24, true)).toBe(0x10000n);
    const dataHeader = 64 + 56;
    expect(Number(view.getBigUint64(dataHeader + 16, true))).toBe(program.data.address);
    expect(Number(view.getBigUint64(dataHeader + 32, true))).toBe(4);
    expect(Number(view.getBigUint64(dataHeader + 40, true))).toBe(16 + 64);
    expect(view.getUint32(Number(view.getBigUint64(dataHeader + 8, true)), true)).toBe(7);
    expect(program.symbols.get('room')).toBe(program.data.address + 16);
  });

  test('is refused when its entry is missing or a segment stands inside a page', () => {
    const a = createAssembler();
    a.label('start');
    a.ret();
    expect(() => elfExecutable(a.assemble({ textAddress: 4096, dataAlignment: 4096 }), 'main')).toThrow(
      /main/,
    );
    expect(() => elfExecutable(a.assemble({ textAddress: 8, dataAlignment: 4096 }), 'start')).toThrow(/page/);
  });
});
