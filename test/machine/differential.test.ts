import { mnemonics } from '@skein/guests';
import { describe, expect, test } from 'vitest';
import { type Batch, layOutBatch, type Outcome } from './batch.ts';
import { describeDifferences, differences } from './compare.ts';
import { run } from './differential.ts';
import { generateProgram } from './generate/generate-program.ts';
import { kinds } from './generate/program-kinds.ts';
import { slotsMax } from './memory-map.ts';
import { Random } from './random.ts';
import { record, trapBytes, trapCsrNames } from './record-layout.ts';
import { runOnSkein } from './run-on-skein.ts';
import { assembleProgram } from './test-program.ts';

/** More of them, and others: pnpm fuzz machine. */
const count = 10_000;
const firstSeed = 20_261n;

const [someBatch, anotherBatch] = [0, slotsMax].map((first) =>
  layOutBatch(
    Array.from({ length: slotsMax }, (_, slot) =>
      generateProgram(new Random(BigInt(first + slot)).bits64(), slot),
    ),
  ),
) as [Batch, Batch];

function word(bytes: Uint8Array, offset: number): bigint {
  return new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(offset, true);
}

/** Causes of all traps in the outcomes, those that the stub for S mode reported among them. */
function causesIn(outcomes: readonly Outcome[]): ReadonlySet<bigint> {
  const causes = new Set<bigint>();
  for (const { record: bytes } of outcomes) {
    for (let trap = 0n; trap < word(bytes, record.trapCount); trap++) {
      const at = record.traps + Number(trap) * trapBytes;
      causes.add(word(bytes, at));
      causes.add(word(bytes, at + trapCsrNames.indexOf('scause') * 8));
    }
  }
  return causes;
}

describe('random programs', () => {
  test(`leave the same on Skein as on QEMU (${count} of them)`, {
    timeout: 60_000 + count * 40,
  }, async () => {
    const result = await run({ seed: firstSeed, count });
    expect(result.mismatches.map(({ report }) => report).join('\n\n')).toBe('');
    expect(result.differing).toEqual([]);
    expect([...result.kinds.keys()].sort()).toEqual([...new Set(kinds)].sort());
  });

  test('hold every instruction that the assembler knows', () => {
    const mnemonicsIn = (index: number): readonly string[] =>
      assembleProgram(generateProgram(new Random(BigInt(index)).bits64(), 0), 0).code.listing.map(
        ({ text }) => text.replace(/ .*/, '').replace(/\.(?:aq|rl|aqrl)$/, ''),
      );
    const found = new Set(Array.from({ length: 2 * slotsMax }, (_, index) => mnemonicsIn(index)).flat());
    expect(mnemonics.filter((mnemonic) => !found.has(mnemonic))).toEqual([]);
  });

  test('leave the same however the run is cut into slices', async () => {
    const whole = await runOnSkein(someBatch);
    const cut = await runOnSkein(someBatch, 97);
    for (const [slot, outcome] of whole.entries()) expect(cut[slot]).toEqual(outcome);
  });

  test('reach every exception that the machine can raise, and interrupts in M and S mode', async () => {
    const causes = causesIn([...(await runOnSkein(someBatch)), ...(await runOnSkein(anotherBatch))]);
    const exceptions = [1n, 2n, 3n, 4n, 5n, 6n, 7n, 8n, 9n, 11n, 12n, 13n, 15n];
    const interrupts = [1n, 5n, 9n].map((number) => number | (1n << 63n));
    for (const cause of [...exceptions, ...interrupts]) expect(causes).toContain(cause);
  });
});

describe('a comparison', () => {
  test('names the one register or byte that differs', async () => {
    const [outcome] = await runOnSkein(layOutBatch([generateProgram(1n, 0)]));
    if (outcome === undefined) throw new Error('no outcome');
    expect(differences(outcome, outcome)).toEqual([]);
    const changed = { ...outcome, record: outcome.record.slice(), data: outcome.data.slice() };
    changed.record[record.registers + 10 * 8] = (outcome.record[record.registers + 10 * 8] ?? 0) ^ 1;
    changed.data[0x123] = (outcome.data[0x123] ?? 0) ^ 0x80;
    expect(differences(outcome, changed).map(({ place }) => place)).toEqual(['a0', 'data+0x120']);
    expect(describeDifferences(differences(outcome, changed))).toMatch(
      /^ {2}a0 +qemu 0x[0-9a-f]+ {2}skein 0x/,
    );
  });

  test('tells an atomic from a load where QEMU confuses their faults, and nothing else', async () => {
    const [outcome] = await runOnSkein(layOutBatch([generateProgram(1n, 0)]));
    if (outcome === undefined) throw new Error('no outcome');
    const make = (instruction: number, cause: bigint): Outcome => {
      const made = { ...outcome, record: new Uint8Array(outcome.record.length), code: outcome.code.slice() };
      new DataView(made.code.buffer).setUint32(0, instruction, true);
      const view = new DataView(made.record.buffer);
      view.setBigUint64(record.trapCount, 1n, true);
      view.setBigUint64(record.traps, cause, true);
      view.setBigUint64(record.traps + 8, BigInt(outcome.codeAddress), true);
      return made;
    };
    const [amoaddW, lw] = [0x00a5a52f, 0x0005a503];
    expect(differences(make(amoaddW, 13n), make(amoaddW, 15n))).toEqual([]);
    expect(differences(make(amoaddW, 13n), make(amoaddW, 12n)).length).toBe(1);
    expect(differences(make(lw, 13n), make(lw, 15n)).length).toBe(1);
  });
});
