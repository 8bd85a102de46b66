import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createAssembler } from '@skein/guests';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { runSkein } from '../testing/run-skein.ts';
import { echoImage, emitExit, tinyImage, uartAddress } from '../testing/tiny-image.ts';

let folder = '';

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'skein-machine-run-'));
});

afterAll(() => rm(folder, { recursive: true, force: true }));

async function imageFile(name: string, image: Uint8Array): Promise<string> {
  const path = join(folder, name);
  await writeFile(path, image);
  return path;
}

describe('skein machine run', () => {
  it("exits with the guest's own exit code and prints what the guest printed, and nothing else", async () => {
    const kernel = await imageFile(
      'hello',
      tinyImage((a) => {
        a.li('t0', uartAddress);
        for (const character of 'hello\n') {
          a.li('t1', character.charCodeAt(0));
          a.sb('t1', 0, 't0');
        }
        emitExit(a, 42);
      }),
    );
    expect(await runSkein(['machine', 'run', '--kernel', kernel])).toEqual({
      exitCode: 42,
      stdout: 'hello\n',
      stderr: '',
    });
  });

  it('passes typed bytes to the guest, which waits for them without burning time', async () => {
    const kernel = await imageFile('echo', echoImage(0));
    const run = await runSkein(['machine', 'run', '--kernel', kernel], { input: 'abc.' });
    expect(run).toEqual({ exitCode: 0, stdout: 'abc.', stderr: '' });
  });

  it('starts firmware in M mode, and what that writes to the finisher is the exit code', async () => {
    const a = createAssembler();
    // mstatus is there for M mode alone.
    a.csrrs('t2', 'mstatus', 'zero');
    emitExit(a, 7);
    const { text } = a.assemble({ textAddress: 0x8000_0000 });
    const firmware = await imageFile('firmware', text.bytes);
    const run = await runSkein(['machine', 'run', '--bios', firmware], { input: 'x' });
    expect(run).toEqual({ exitCode: 7, stdout: '', stderr: '' });
  });

  it.each([
    ['a kernel that is not there', ['--kernel', '/nonexistent/kernel'], /cannot read \/nonexistent\/kernel/],
    ['a kernel that is none', ['--kernel', process.execPath], /RISC-V|riscv|ELF/i],
    ['firmware that is for another machine', ['--bios', process.execPath], /the image is for x86-64|arm64/],
    [
      'an initrd with firmware alone',
      ['--bios', process.execPath, '--initrd', '/dev/null'],
      /--initrd needs --kernel/,
    ],
    ['an impossible memory size', ['--memory', '3'], /whole number of MiB from 64 to 3072/],
    ['an unknown option', ['--memroy', '64'], /unknown option '--memroy'/],
    ['an initrd without a kernel', ['--initrd', '/dev/null'], /--initrd needs --kernel/],
    [
      'a disk that is not there',
      ['--disk', '/nonexistent/disk'],
      /cannot read and write \/nonexistent\/disk/,
    ],
    ['a disk that is a folder', ['--disk', '/,ro'], /\/ is no regular file/],
    ['a disk without a name', ['--disk', ',ro'], /It must name a file/],
    ['more disks than slots', Array.from({ length: 6 }, () => ['--disk', 'x']).flat(), /at most 5 disks/],
    ['a vNIC in nothing that is a switch', ['--nic', 'bridge0'], /must be none, or switch:NAME/],
    [
      'a recording of what is not booted',
      ['--record', 'a', '--snapshot', 'b'],
      /--record and --snapshot exclude/,
    ],
    [
      'a balloon as large as the machine',
      ['--balloon', '128'],
      /--balloon asks for 128 MiB; the machine has 128/,
    ],
    ['an image that is not there', ['--image', '0'.repeat(64)], /no guest image 0{64}/],
  ])('fails with 125 and one clear message for %s', async (_case, args, message) => {
    const run = await runSkein(['machine', 'run', ...args]);
    expect(run.stderr).toMatch(message);
    expect(run.stderr.trim().split('\n')).toHaveLength(1);
    expect([run.exitCode, run.stdout]).toEqual([125, '']);
  });
});
