import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { runSkein, type SkeinRun } from '../testing/run-skein.ts';
import { echoImage, tinyImage } from '../testing/tiny-image.ts';

let folder = '';
let kernel = '';
let first = '';
let second = '';

const echo = echoImage(7);

async function record(name: string, input: string): Promise<string> {
  const path = join(folder, name);
  const run = await runSkein(['machine', 'run', '--kernel', kernel, '--record', path], { input });
  expect(run).toEqual({ exitCode: 7, stdout: input, stderr: '' });
  return path;
}

const inJson = ({ stdout }: SkeinRun): Record<string, unknown> =>
  JSON.parse(stdout) as Record<string, unknown>;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'skein-recording-'));
  kernel = join(folder, 'echo');
  await writeFile(kernel, echo);
  [first, second] = [await record('first.skl', 'abc.'), await record('second.skl', 'abd.')];
});

afterAll(() => rm(folder, { recursive: true, force: true }));

describe('skein machine replay', () => {
  it('prints what the guest printed and ends in the state in which the run ended', async () => {
    const run = await runSkein(['machine', 'replay', first]);
    expect([run.exitCode, run.stdout]).toEqual([0, 'abc.']);
    const { end } = JSON.parse((await readFile(first, 'utf8')).trim().split('\n').at(-1) ?? '') as {
      end: { steps: string; hash: string };
    };
    expect(run.stderr).toContain(`step ${end.steps}, S mode, off, state hash 0x${end.hash}`);
    expect(inJson(await runSkein(['machine', 'replay', first, '--json']))).toMatchObject({
      steps: end.steps,
      stateHash: `0x${end.hash}`,
      isOff: true,
      registers: { t2: '0x2e' },
    });
  });

  it('stops at any step, in one state however often', async () => {
    const args = ['machine', 'replay', first, '--until', '5', '--json'];
    const state = inJson(await runSkein(args));
    expect(state).toMatchObject({ steps: '5', mode: 'S', isOff: false, registers: { t0: '0x10000000' } });
    expect(inJson(await runSkein(args))).toEqual(state);
  });

  it('refuses steps that the recording does not have', async () => {
    const run = await runSkein(['machine', 'replay', first, '--until', '999999999999']);
    expect(run.exitCode).toBe(2);
    expect(run.stderr).toMatch(/--until is 999999999999; .*first\.skl goes from step 0 to step \d+/);
  });

  it('refuses a kernel that is no longer the one that was recorded, and a file that is no recording', async () => {
    const recorded = await readFile(first, 'utf8');
    const other = join(folder, 'other.skl');
    await writeFile(other, recorded.replace(/"sha256":"[0-9a-f]{64}"/, `"sha256":"${'0'.repeat(64)}"`));
    const changed = await runSkein(['machine', 'replay', other]);
    expect([changed.exitCode, changed.stderr]).toEqual([
      2,
      expect.stringContaining('is not the file that was recorded'),
    ]);
    const none = await runSkein(['machine', 'replay', kernel]);
    expect([none.exitCode, none.stderr]).toEqual([
      1,
      expect.stringMatching(/echo: line 1 is not one of an input log/),
    ]);
  });

  it('says so when the machine starts or ends in another state', async () => {
    const recorded = await readFile(first, 'utf8');
    const other = join(folder, 'diverged.skl');
    await writeFile(other, recorded.replace(/"startHash":"\w+"/, '"startHash":"1"'));
    expect((await runSkein(['machine', 'replay', other])).stderr).toContain('starts in another state');
    await writeFile(other, recorded.replace(/"hash":"\w+"/, '"hash":"1"'));
    expect((await runSkein(['machine', 'replay', other])).stderr).toContain('ends in another state');
  });
});

describe('skein machine diff', () => {
  it('finds no difference between a run and itself', async () => {
    const run = await runSkein(['machine', 'diff', first, first]);
    expect([run.exitCode, run.stderr]).toEqual([0, '']);
    expect(run.stdout).toMatch(/^the runs are the same, \d+ steps\n$/);
  });

  it('names the step at which one input differs, the input, and what is different there', async () => {
    // The same run but for one key, at the step at which it was typed.
    const lines = (await readFile(first, 'utf8')).trim().split('\n');
    const typed = lines.findIndex((line) => line.includes('"type":"console"'));
    const { steps } = JSON.parse(lines[typed] ?? '') as { steps: string };
    const bytes = (text: string): string => Buffer.from(text).toString('base64');
    lines[typed] = (lines[typed] ?? '').replace(bytes('abc.'), bytes('xbc.'));
    const other = join(folder, 'other-key.skl');
    await writeFile(other, `${lines.join('\n')}\n`);
    const run = await runSkein(['machine', 'diff', first, other]);
    expect(run.exitCode).toBe(1);
    expect(run.stdout).toContain(`the runs differ at step ${steps}\n`);
    expect(run.stdout).toContain('first.skl is given {"type":"console","bytes":"abc."}');
    expect(run.stdout).toContain('other-key.skl is given {"type":"console","bytes":"xbc."}');
  });

  it('ends with 2, as diff does, where it cannot be told', async () => {
    const none = join(folder, 'none.skl');
    await writeFile(none, 'no log\n');
    for (const path of [none, join(folder, 'missing.skl')]) {
      const run = await runSkein(['machine', 'diff', first, path]);
      expect([run.exitCode, run.stdout]).toEqual([2, '']);
      expect(run.stderr).toContain(path);
    }
  });

  it('tells two runs apart that were started with other random numbers at another time', async () => {
    const run = await runSkein(['machine', 'diff', first, second, '--json']);
    expect([run.exitCode, inJson(run)]).toEqual([
      1,
      expect.objectContaining({ differs: true, step: '0', origin: ['randomSeed', 'rtcEpochSeconds'] }),
    ]);
  });
});

describe('skein machine run --record', () => {
  it('never writes over a file', async () => {
    const run = await runSkein(['machine', 'run', '--kernel', kernel, '--record', first], { input: '.' });
    expect([run.exitCode, run.stdout]).toEqual([125, '']);
    expect(run.stderr).toMatch(/cannot record to .*first\.skl: EEXIST.*; name a new file\n$/);
  });

  it('ends where the guest reboots', async () => {
    const path = join(folder, 'reboot.skl');
    const image = join(folder, 'reboot');
    await writeFile(
      image,
      tinyImage((a) => {
        a.li('t0', 0x10_0000);
        a.li('t1', 0x7777);
        a.sw('t1', 0, 't0');
        a.label('stay');
        a.j('stay');
      }),
    );
    const run = await runSkein(['machine', 'run', '--kernel', image, '--record', path]);
    expect([run.exitCode, run.stderr]).toEqual([0, expect.stringContaining('its recording ends here')]);
    expect((await runSkein(['machine', 'replay', path])).exitCode).toBe(0);
  });
});
