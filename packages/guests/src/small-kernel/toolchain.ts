/**
 * What the small kernel is compiled with: the machine's own cross compiler and what Linux' build calls.
 * Source: Linux 6.1, Documentation/process/changes.rst, "Current Minimal Requirements".
 */
import { constants } from 'node:fs';
import { access } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { runCommand } from '../command.ts';
import { GuestImageError } from '../guest-image-error.ts';

/** What stands before the names of compiler and linker. */
export const crossPrefix = 'riscv64-linux-gnu-';

/** Programs, and the packages of Debian that bring them. */
const tools: readonly { readonly program: string; readonly packages: readonly string[] }[] = [
  { program: `${crossPrefix}gcc`, packages: ['gcc-riscv64-linux-gnu'] },
  { program: `${crossPrefix}ld`, packages: ['binutils-riscv64-linux-gnu'] },
  // For the programs that configure the kernel and generate parts of it.
  { program: 'gcc', packages: ['gcc', 'libc6-dev'] },
  { program: 'make', packages: ['make'] },
  { program: 'flex', packages: ['flex'] },
  { program: 'bison', packages: ['bison'] },
  { program: 'bc', packages: ['bc'] },
  { program: 'tar', packages: ['tar'] },
  { program: 'xz', packages: ['xz-utils'] },
];

const versionDeadlineMs = 10_000;

/**
 * Compiler and linker as they name themselves: another version compiles another kernel.
 * @throws GuestImageError image.toolchain-missing with all that is missing
 */
export async function describeToolchain(searchPath = process.env.PATH ?? ''): Promise<string> {
  const missing: string[] = [];
  for (const { program, packages } of tools) {
    if (!(await isOnPath(program, searchPath))) missing.push(...packages);
  }
  if (missing.length > 0) {
    throw new GuestImageError(
      'image.toolchain-missing',
      `the small kernel is compiled on this machine, which lacks ${missing.join(', ')}: ` +
        `apt-get install ${missing.join(' ')}`,
    );
  }
  const versions = [];
  for (const program of [`${crossPrefix}gcc`, `${crossPrefix}ld`]) {
    const { stdout } = await runCommand(program, ['--version'], {
      deadlineMs: versionDeadlineMs,
      environment: { PATH: searchPath },
    });
    versions.push(stdout.toString('utf8').split('\n')[0] ?? '');
  }
  return versions.join('; ');
}

async function isOnPath(program: string, searchPath: string): Promise<boolean> {
  for (const folder of searchPath.split(delimiter)) {
    if (folder === '') continue;
    const isThere = await access(join(folder, program), constants.X_OK).then(
      () => true,
      () => false,
    );
    if (isThere) return true;
  }
  return false;
}
