import { spawnSync } from 'node:child_process';
import { resolve } from 'node:path';
import { describe, expect, it } from 'vitest';

const scripts = resolve(import.meta.dirname, '../../scripts');

/** On a machine whose PATH has no docker. */
function run(script: string): { status: number | null; said: string } {
  const options = { env: { ...process.env, PATH: '/nonexistent' }, encoding: 'utf8' } as const;
  const { status, stdout, stderr } = spawnSync(process.execPath, [resolve(scripts, script)], options);
  return { status, said: stdout + stderr };
}

describe('a machine without Docker', () => {
  it('is told after the tests what they left out, what is missing, and how to run it', () => {
    const { status, said } = run('say-left-out.ts');
    expect(status).toBe(0);
    expect(said).toMatch(/Left out: the container tests/);
    expect(said).toMatch(/docker: no docker command\n +-> install Docker with its compose plugin/);
    expect(said).toMatch(/run them with: npx --yes pnpm@12 test:compose\n$/);
  });

  it('is told the same instead of container tests that fail one by one', () => {
    const { status, said } = run('require-docker.ts');
    expect(status).toBe(1);
    expect(said).toMatch(/-> install Docker/);
  });
});
