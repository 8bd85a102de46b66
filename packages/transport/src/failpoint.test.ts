/** Failpoints in real threads: a program of one line that passes one. */
import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { failpointsVariable } from './failpoint.ts';

const place = 'migration.suspend.before';
const script = `import { existsSync } from 'node:fs';
import { failpoint } from ${JSON.stringify(join(import.meta.dirname, 'failpoint.ts'))};
failpoint('${place}');
console.log(existsSync(process.argv[1]) ? 'passed by' : 'passed');`;

let folder: string;
let child: ChildProcess | null = null;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'skein-failpoints-'));
});
afterEach(() => {
  child?.kill('SIGKILL');
  rmSync(folder, { recursive: true, force: true });
});

/** Runs to the failpoint and on; resolves with what was printed by the end. */
function run(environment: NodeJS.ProcessEnv): { readonly pid: number; readonly ended: Promise<string> } {
  const program = spawn(
    process.execPath,
    ['--input-type=module-typescript', '--eval', script, join(folder, place)],
    {
      env: { ...process.env, ...environment },
      stdio: ['ignore', 'pipe', 'inherit'],
    },
  );
  child = program;
  let printed = '';
  program.stdout.setEncoding('utf8').on('data', (text: string) => {
    printed += text;
  });
  const ended = new Promise<string>((done) => program.once('close', () => done(printed)));
  return { pid: program.pid ?? 0, ended };
}

async function reached(): Promise<number> {
  const path = join(folder, `${place}.reached`);
  while (!existsSync(path) || readFileSync(path, 'utf8') === '') await new Promise(setImmediate);
  return Number(readFileSync(path, 'utf8'));
}

describe('a failpoint', () => {
  it('is passed without the variable, though a file of its name lies about', async () => {
    writeFileSync(join(folder, place), '');
    expect(await run({ [failpointsVariable]: '' }).ended).toBe('passed by\n');
    expect(existsSync(join(folder, `${place}.reached`))).toBe(false);
  });

  it('is passed where nobody asked for a hold', async () => {
    expect(await run({ [failpointsVariable]: folder }).ended).toBe('passed\n');
  });

  it('holds the thread that gets there, says which process it is of, and lets it go with the file', async () => {
    writeFileSync(join(folder, place), '');
    const { pid, ended } = run({ [failpointsVariable]: folder });
    expect(await reached()).toBe(pid);
    rmSync(join(folder, place));
    expect(await ended).toBe('passed\n');
  });

  it('lets the thread go when the whole folder goes', async () => {
    writeFileSync(join(folder, place), '');
    const { ended } = run({ [failpointsVariable]: folder });
    await reached();
    rmSync(folder, { recursive: true });
    expect(await ended).toBe('passed\n');
  });
});
