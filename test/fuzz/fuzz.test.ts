import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { parseArguments } from './arguments.ts';

const program = join(import.meta.dirname, 'main.ts');

function fuzz(
  words: readonly string[],
  path = process.env.PATH,
): Promise<{ code: number; out: string; err: string }> {
  const child = spawn(process.execPath, [program, ...words], { env: { ...process.env, PATH: path } });
  let [out, err] = ['', ''];
  child.stdout.setEncoding('utf8').on('data', (text: string) => (out += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (err += text));
  return new Promise((resolve) => child.once('close', (code) => resolve({ code: code ?? -1, out, err })));
}

describe('pnpm fuzz', () => {
  test.each([
    [[], 'say what to fuzz: machine'],
    [['raft'], 'there is no fuzz raft'],
    [['machine', 'twice'], 'one thing at a time'],
    [['machine', '--count', '0'], '--count takes a whole number'],
    [['machine', '--count', '1e4'], '--count takes a whole number'],
    [['machine', '--count', '100000001'], '--count takes a whole number'],
    [['machine', '--seed', '18446744073709551616'], '--seed takes a whole number'],
    [['machine', '--seed', 'lucky'], '--seed takes a whole number'],
    [['machine', '--fast'], '--fast'],
  ])('refuses %j', (words, problem) => {
    const parsed = parseArguments(words, ['machine']);
    expect(parsed).toEqual({ is: 'refused', problem: expect.stringContaining(problem) });
  });

  test('takes a seed of 64 bits, in both notations', () => {
    for (const seed of ['18446744073709551615', '0xFFFFFFFFFFFFFFFF']) {
      expect(parseArguments(['machine', '--seed', seed], ['machine'])).toEqual({
        is: 'arguments',
        arguments: { name: 'machine', seed: 2n ** 64n - 1n, count: 10_000, isJson: false },
      });
    }
  });

  test('ends with 2 and its usage on stderr when the arguments are wrong, with 0 when asked for help', async () => {
    const refused = await fuzz(['machine', '--count', 'all']);
    expect([refused.code, refused.out]).toEqual([2, '']);
    expect(refused.err).toContain('usage: pnpm fuzz machine');
    const helped = await fuzz(['--help']);
    expect([helped.code, helped.err]).toEqual([0, '']);
    expect(helped.out).toContain('--seed S');
  });

  test('says what to install where QEMU is absent', async () => {
    const { code, err } = await fuzz(['machine', '--count', '1'], '/nonexistent');
    expect(code).toBe(1);
    expect(err).toContain('apt-get install qemu-system-misc');
  });

  test('prints its seed, and with --json one object last', async () => {
    const { code, out, err } = await fuzz(['machine', '--seed', '0x2a', '--count', '40', '--json']);
    expect(err).toContain('machine: 40 from seed 42');
    const result = JSON.parse(out.trim().split('\n').at(-1) ?? '') as Record<string, unknown>;
    expect(result).toMatchObject({ seed: '42', programs: 40, failed: 0, differing: [] });
    expect(code).toBe(0);
  });
});
