/** Lays a batch of programs out in RAM, and reads what became of each out of RAM again. */
import type { Program } from '@skein/guests';
import { flatImage } from '@skein/guests';
import { buildHarness } from './harness.ts';
import {
  codeAddress,
  codeBytes,
  dataAddress,
  dataBytes,
  descriptorAddress,
  descriptorBytes,
  harnessAddress,
  recordAddress,
  recordBytes,
  slotsMax,
  tableAddress,
  tableBytes,
} from './memory-map.ts';
import { descriptor, initialCsrNames } from './record-layout.ts';
import { assembleProgram, type TestProgram } from './test-program.ts';

export interface RamPart {
  readonly address: number;
  readonly bytes: Uint8Array;
}

export interface Batch {
  readonly programs: readonly TestProgram[];
  /** The programs' code in their slots. */
  readonly code: readonly Program[];
  /** RAM before the start; what no part covers is zero. */
  readonly parts: readonly RamPart[];
}

/** What one program left: memory as it stood at the end of the batch. */
export interface Outcome {
  readonly record: Uint8Array;
  readonly code: Uint8Array;
  readonly codeAddress: number;
  readonly data: Uint8Array;
  readonly tables: Uint8Array;
}

/** Reads RAM of a machine that has run a batch. */
export type ReadRam = (address: number, lengthBytes: number) => Uint8Array;

/** @param programs each made for its slot: program i for slot i, at most slotsMax */
export function layOutBatch(programs: readonly TestProgram[]): Batch {
  if (programs.length > slotsMax)
    throw new RangeError(`${programs.length} programs; a batch holds ${slotsMax}`);
  const parts: RamPart[] = [{ address: harnessAddress, bytes: flatImage(buildHarness(programs.length)) }];
  const code = programs.map((program, slot) => {
    const { code, endAddress } = assembleProgram(program, slot);
    if (program.codeOffset + code.text.bytes.length > codeBytes) {
      throw new RangeError(`program ${program.seed} is ${code.text.bytes.length} bytes long`);
    }
    parts.push({ address: code.text.address, bytes: code.text.bytes });
    parts.push({
      address: descriptorAddress(slot),
      bytes: describe(program, slot, code.text.address, endAddress),
    });
    parts.push({ address: dataAddress(slot), bytes: program.data });
    parts.push({ address: tableAddress(slot), bytes: program.tables });
    return code;
  });
  return { programs, code, parts };
}

function describe(program: TestProgram, slot: number, entry: number, end: number): Uint8Array {
  const bytes = new Uint8Array(descriptorBytes);
  const view = new DataView(bytes.buffer);
  const put = (offset: number, value: bigint): void =>
    view.setBigUint64(offset, BigInt.asUintN(64, value), true);
  for (const [index, value] of program.registers.entries()) put(descriptor.registers + index * 8, value);
  for (const [index, value] of program.floats.entries()) put(descriptor.floats + index * 8, value);
  for (const [index, name] of initialCsrNames.entries()) put(descriptor.csrs + index * 8, program.csrs[name]);
  put(descriptor.entry, BigInt(entry));
  put(descriptor.end, BigInt(end));
  put(descriptor.record, BigInt(recordAddress(slot)));
  put(descriptor.machineVectors, program.vectored.M ? 1n : 0n);
  put(descriptor.supervisorVectors, program.vectored.S ? 1n : 0n);
  return bytes;
}

export function readOutcomes(count: number, read: ReadRam): readonly Outcome[] {
  return Array.from({ length: count }, (_, slot) => ({
    record: read(recordAddress(slot), recordBytes),
    code: read(codeAddress(slot), codeBytes),
    codeAddress: codeAddress(slot),
    data: read(dataAddress(slot), dataBytes),
    tables: read(tableAddress(slot), tableBytes),
  }));
}
