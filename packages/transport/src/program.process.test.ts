import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';

const program = join(import.meta.dirname, 'program.fixture.ts');
const base = { name: 'base', addresses: { a: '1', b: '2' }, ports: [1, 2] };

let folder: string;
const started: ChildProcess[] = [];
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'skein-program-'));
});
afterEach(() => {
  for (const child of started.splice(0)) child.kill('SIGKILL');
  rmSync(folder, { recursive: true });
});

function start(file: unknown, environment: Record<string, string> = {}, args: string[] = []) {
  const path = join(mkdtempSync(join(folder, 'of-')), 'config.json');
  writeFileSync(path, JSON.stringify(file));
  const child = spawn(process.execPath, [program, '--config', path, ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, ...environment },
  });
  started.push(child);
  let errors = '';
  child.stderr.on('data', (data: Buffer) => {
    errors += data.toString();
  });
  const ended = once(child, 'close').then(([code]) => ({ code: code as number | null, errors }));
  const ready = once(createInterface({ input: child.stdout }), 'line').then(
    ([line]) => (JSON.parse(line as string) as { config: unknown }).config,
  );
  return { child, ready, ended };
}

describe('a program of ours', () => {
  it('takes what SKEIN_CONFIG sets before what its file says, key by key; lists are replaced whole', async () => {
    const set = { name: 'set', addresses: { b: '3', c: '4' }, ports: [9] };
    const { child, ready, ended } = start(base, { SKEIN_CONFIG: JSON.stringify(set) });
    expect(await ready).toEqual({
      name: 'set',
      addresses: { a: '1', b: '3', c: '4' },
      ports: [9],
      isSick: false,
    });
    child.kill('SIGTERM');
    expect((await ended).code).toBe(0);
  });

  it('names every problem, and both sources, when what came of them is not a configuration', async () => {
    const { ended } = start({ ...base, ports: ['x'] }, { SKEIN_CONFIG: '{"colour":"red","name":1}' });
    const { code, errors } = await ended;
    expect(code).toBe(2);
    expect(errors).toMatch(/config\.json with SKEIN_CONFIG:/);
    for (const problem of ['colour', 'name', 'ports[0]']) expect(errors).toContain(problem);
    const broken = await start(base, { SKEIN_CONFIG: '{"capacity": {"memoryMib": 1g}}' }).ended;
    expect(broken.errors).toMatch(/^SKEIN_CONFIG is not JSON: .*, near ".*memoryMib\\": 1g}}"$/m);
  });

  it('only looks at its configuration when it is told to check', async () => {
    expect(await start(base, {}, ['--check']).ended).toEqual({ code: 0, errors: '' });
    const { code, errors } = await start({ ...base, colour: 'red' }, {}, ['--check']).ended;
    expect(code).toBe(2);
    expect(errors).toContain('colour');
    const unsound = await start({ ...base, name: 'unsound' }, {}, ['--check']).ended;
    expect(unsound).toEqual({ code: 3, errors: 'there is no image for unsound\n' });
  });

  it('writes its health file each second, empty while it is well, else with what ails it', async () => {
    const [well, sick] = [join(folder, 'well'), join(folder, 'sick')];
    const programs = [
      start(base, {}, ['--health-file', well]),
      start({ ...base, isSick: true }, {}, ['--health-file', sick]),
    ];
    await Promise.all(programs.map(({ ready }) => ready));
    await vi.waitFor(() => expect(existsSync(well)).toBe(true), 5000);
    const firstMs = statSync(well).mtimeMs;
    await vi.waitFor(() => expect(statSync(well).mtimeMs).toBeGreaterThan(firstMs), 5000);
    expect(readFileSync(well, 'utf8')).toBe('');
    expect(readFileSync(sick, 'utf8')).toBe('it is sick\nand tired\n');
    for (const { child } of programs) child.kill('SIGTERM');
    await Promise.all(programs.map(({ ended }) => ended));
  });
});
