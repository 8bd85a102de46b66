/**
 * assembly/generated/slow-path.ts: whom the interpreter calls for an operation that its switch left. A pair stands
 * with its first operation, for ip is there; once that one is done, the second is an entry of its own.
 */
import type { Operation } from '../src/operations/instruction.ts';
import type { OperationTable } from '../src/operations/table.ts';
import { entryBytes } from './effects.ts';
import { importOperations, indented, switchReturning } from './text.ts';

export function slowPathSource(table: OperationTable): string {
  const body = indented(1, slowChoice(table));
  return `import { setStepsLeft } from '../clock';
import { atomicInstruction, breakpoint, decodeEntry, floatInstruction, illegal, system } from '../execute/base';
import { loadFloat, loadInteger, loadNowhere, storeFloat, storeInteger } from '../execute/memory';
import { PC } from '../layout';
${importOperations(body, table)}
/** Executes the instruction at an entry. \`left\` does not count it. Returns a status of execute/outcome. */
export function executeSlowly(ip: u32, pc: u64, left: u32): u32 {
  store<u64>(PC, pc);
  setStepsLeft(left);
${body}
}
`;
}

function slowChoice({ operations, pairs }: OperationTable): string[] {
  const cases = operations.flatMap((operation): [string, string][] => {
    const call = slowCall(operation);
    if (call === undefined) return [];
    const names = [
      operation.name,
      ...pairs.filter((pair) => pair.first === operation.name).map((pair) => pair.name),
    ];
    return names.map((name) => [name, call]);
  });
  return switchReturning('load<u8>(ip) as u32', cases, 'illegal(ip)');
}

/** Nothing for what never leaves the switch. */
function slowCall(operation: Operation): string | undefined {
  const { effect } = operation.instruction;
  const step = entryBytes(operation);
  switch (effect.kind) {
    case 'load': {
      if (effect.file === 'float') return `loadFloat(ip, ${effect.bytes}, ${step})`;
      const signBits = effect.isSigned ? 64 - effect.bytes * 8 : 0;
      return `loadInteger(ip, ${effect.bytes}, ${signBits}, ${step})`;
    }
    case 'store': {
      const store = effect.file === 'float' ? 'storeFloat' : 'storeInteger';
      return `${store}(ip, ${effect.bytes}, ${step})`;
    }
    case 'load-reserved':
    case 'store-conditional':
    case 'read-modify-write':
      return 'atomicInstruction(ip)';
    case 'slow':
      return effect.call;
    default:
      return undefined;
  }
}
