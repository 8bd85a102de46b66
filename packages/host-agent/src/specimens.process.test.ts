import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';

/** In a process of its own: V8's own functions are for those that ask for them at their start. */
async function collected(...args: readonly string[]): Promise<unknown> {
  const fixture = join(import.meta.dirname, 'specimens.fixture.ts');
  const { stdout } = await promisify(execFile)(
    process.execPath,
    ['--allow-natives-syntax', fixture, ...args],
    { timeout: 60_000 },
  );
  return JSON.parse(stdout);
}

describe('code that was compiled for the objects of a class', () => {
  it('outlives a collection where a specimen was kept', async () => {
    expect(await collected('keep')).toEqual({ before: true, after: true, next: 3 });
  });

  it('goes with the last of them else, which is what specimens are for', async () => {
    expect(await collected()).toEqual({ before: true, after: false, next: 3 });
  });
});
