import { describe, expect, test } from 'vitest';
import { runCommand } from './command.ts';

const deadlineMs = 10_000;

describe('runCommand', () => {
  test('hands over output and exit code, and passes arguments uninterpreted', async () => {
    const result = await runCommand('sh', ['-c', 'echo "$1"; echo bad >&2; exit 3', 'sh', '$(id) *'], {
      deadlineMs,
    });
    expect(result).toEqual({ exitCode: 3, stdout: Buffer.from('$(id) *\n'), stderr: 'bad\n' });
  });

  test('says what is missing when the machine lacks the program', async () => {
    await expect(runCommand('no-such-program', [], { deadlineMs })).rejects.toMatchObject({
      code: 'image.unavailable',
      message: expect.stringContaining('this machine has no no-such-program'),
    });
  });

  test('ends a program that outlives its deadline', async () => {
    await expect(runCommand('sleep', ['60'], { deadlineMs: 50 })).rejects.toMatchObject({
      code: 'image.unavailable',
      message: expect.stringContaining('sleep did not finish within'),
    });
  });

  test('ends a program that says too much', async () => {
    const talking = runCommand('yes', [], { deadlineMs, outputBytesMax: 100_000 });
    await expect(talking).rejects.toThrow('yes printed more than 100000 bytes');
  });
});
