import { expect, test } from 'vitest';
import { describeMinimal } from './explain-mismatch.ts';
import { generateProgram } from './generate/generate-program.ts';
import { type Maker, minimise } from './minimise.ts';

// What time it is differs from machine to machine: the one mismatch that can be had on purpose.
test('a mismatch is made as small as the one instruction that it comes from', async () => {
  const seed = Array.from({ length: 100 }, (_, index) => BigInt(index)).find(
    (some) => generateProgram(some, 0).kind === 'integer',
  );
  const make: Maker = (slot) => {
    const some = generateProgram(seed ?? 0n, slot);
    return {
      ...some,
      mode: 'M',
      csrs: { ...some.csrs, mstatus: some.csrs.mstatus | 0x1800n },
      fragments: [
        ...some.fragments,
        (a) => {
          a.li('t4', 0x1234);
          a.csrrs('t5', 'mcycle', 'zero');
          a.addi('t4', 't4', 1);
        },
      ],
    };
  };
  const { program, differences } = await minimise(make, 0);
  expect(differences.map(({ place }) => place)).toEqual(['t5']);
  const report = describeMinimal({ program, differences }, 0);
  const instructions = report.split('\n').filter((line) => /^ {2}8\w{7}: /.test(line));
  expect(instructions).toEqual([
    expect.stringMatching(/: b0002f73 {2}csrrs t5,mcycle,zero$/),
    expect.stringMatching(/: 00100073 {2}ebreak$/),
  ]);
  expect(program.registers.every((value) => value === 0n)).toBe(true);
  expect(program.data.every((value) => value === 0)).toBe(true);
}, 120_000);
