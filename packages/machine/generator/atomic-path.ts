/**
 * The fast paths of reserved and atomic accesses: to aligned addresses whose page has a fast entry. What they leave over
 * is assembly/execute/atomic.ts, of which they are the same, line by line.
 */
import type { AtomicBytes } from '../src/operations/encoding.ts';
import type { Effect } from '../src/operations/instruction.ts';

export type AtomicEffect = Extract<
  Effect,
  { kind: 'load-reserved' | 'store-conditional' | 'read-modify-write' }
>;

export function atomicPath(effect: AtomicEffect): readonly string[] {
  const { bytes } = effect;
  switch (effect.kind) {
    case 'load-reserved':
      return [
        ...findAligned(bytes, 'FAST_LOAD'),
        `const old: u64 = ${read(bytes)};`,
        'store<u64>(RESERVATION_ADDRESS, virtual);',
        'store<u64>(RESERVATION_VALUE, old);',
        ...result('old'),
      ];
    case 'store-conditional':
      return [
        ...findAligned(bytes, 'FAST_STORE'),
        'let failed: u64 = 1;',
        `if (load<u64>(RESERVATION_ADDRESS) === virtual && ${read(bytes)} === load<u64>(RESERVATION_VALUE)) {`,
        `  ${write(bytes, 'source2(ip)')}`,
        '  failed = 0;',
        '}',
        'store<u64>(RESERVATION_ADDRESS, NONE);',
        ...result('failed'),
      ];
    case 'read-modify-write':
      return [
        ...findAligned(bytes, 'FAST_STORE'),
        `const old: u64 = ${read(bytes)};`,
        `const operand = ${bytes === 4 ? 'word(source2(ip) as u32)' : 'source2(ip)'};`,
        write(bytes, effect.value.replace(/\brs2\b/g, 'operand')),
        ...result('old'),
      ];
  }
}

/** A misaligned address keeps bits that no tag has. */
function findAligned(bytes: AtomicBytes, table: string): readonly string[] {
  return [
    'const virtual = source1(ip);',
    'const slot = tables + fastSlot(virtual);',
    `if (load<u64>(slot, ${table}) !== (virtual & (PAGE_MASK | ${bytes - 1}))) break;`,
    `const host = (virtual as u32) + load<u32>(slot, ${table} + 8);`,
  ];
}

function read(bytes: AtomicBytes): string {
  return bytes === 8 ? 'load<u64>(host)' : '(load<i32>(host) as i64 as u64)';
}

function write(bytes: AtomicBytes, value: string): string {
  return bytes === 8 ? `store<u64>(host, ${value});` : `store<u32>(host, (${value}) as u32);`;
}

/** x0 is a destination like any other here, and is 0 again at once. */
function result(value: string): readonly string[] {
  return [`store<u64>(destination(ip), ${value}, XREG);`, 'store<u64>(XREG, 0);'];
}
