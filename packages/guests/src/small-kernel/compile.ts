/**
 * Compiles the small kernel in a folder of its own: unpacks Debian's source, configures it with our fragment on top of
 * Linux' smallest configuration, and makes a flat image. What would differ from build to build (time, user, machine,
 * the caller's environment) is set: one compiler gives one image.
 * Source: Linux, Documentation/kbuild/reproducible-builds.rst; scripts/kconfig/merge_config.sh.
 */
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { GuestImageError } from '../guest-image-error.ts';
import { kernelSourcePackage } from '../packages/package.ts';
import { runBuildStep } from './build-step.ts';
import { sourceArchivePath } from './kernel-source.ts';
import { crossPrefix } from './toolchain.ts';

export interface Compilation {
  /** The .deb file of the source. */
  readonly sourcePath: string;
  /** The fragment's text. */
  readonly config: string;
  /** Filled; the caller removes it. */
  readonly folder: string;
  readonly logPath: string;
  readonly onProgress: (phase: string, files: number) => void;
  readonly signal: AbortSignal | undefined;
}

export interface CompiledKernel {
  /** As `uname -r` says. */
  readonly version: string;
  readonly image: Buffer;
  /** The whole configuration that came of the fragment. */
  readonly fullConfig: string;
}

/** What a build is told of its surroundings; part of what names the result. */
export const buildVariables: Readonly<Record<string, string>> = {
  ARCH: 'riscv',
  CROSS_COMPILE: crossPrefix,
  KBUILD_BUILD_TIMESTAMP: '1970-01-01T00:00:00Z',
  KBUILD_BUILD_VERSION: '1',
  KBUILD_BUILD_USER: 'skein',
  KBUILD_BUILD_HOST: 'skein',
  LC_ALL: 'C',
  TZ: 'UTC',
};

/** @throws GuestImageError image.build-failed; the signal's reason */
export async function compileKernel(compilation: Compilation): Promise<CompiledKernel> {
  const { folder, logPath, signal, sourcePath, config, onProgress } = compilation;
  await mkdir(folder, { recursive: true });
  const environment = { ...buildVariables, PATH: process.env.PATH ?? '', HOME: folder };
  const source = join(folder, kernelSourcePackage);
  const run = async (
    what: string,
    command: readonly string[],
    workingDirectory = source,
    onLine = (_line: string): void => {},
  ): Promise<void> =>
    await runBuildStep({ what, command, workingDirectory, environment, logPath, onLine, signal });

  onProgress('source is unpacked', 0);
  const shell =
    'dpkg-deb --fsys-tarfile "$1" | tar --extract --to-stdout "$2" | tar --extract --xz --directory "$3"';
  const arguments_ = ['-o', 'pipefail', '-c', shell, 'unpack', sourcePath, sourceArchivePath, folder];
  await run("the kernel's source cannot be unpacked", ['bash', ...arguments_], folder);

  onProgress('configuration', 0);
  const fragmentPath = join(folder, 'fragment.config');
  await writeFile(fragmentPath, config);
  const configuring = 'the kernel cannot be configured';
  await run(configuring, ['make', 'tinyconfig']);
  await run(configuring, ['sh', 'scripts/kconfig/merge_config.sh', '-m', '.config', fragmentPath]);
  await run(configuring, ['make', 'olddefconfig']);
  const fullConfig = await readFile(join(source, '.config'), 'utf8');
  requireFragment(config, fullConfig);

  let files = 0;
  await run(
    'the kernel does not compile',
    ['make', `-j${availableParallelism()}`, 'Image'],
    source,
    (line) => {
      if (/^\s+[A-Z]+\s/.test(line)) files += 1;
      onProgress('compiled', files);
    },
  );
  let version = '';
  await run('the kernel has no version', ['make', '-s', 'kernelrelease'], source, (line) => {
    version = line;
  });
  return { version, image: await readFile(join(source, 'arch/riscv/boot/Image')), fullConfig };
}

/**
 * What the fragment asks for and Linux did not take over, because something that it depends on is not there, would be
 * missed only in a guest.
 * @throws GuestImageError image.build-failed
 */
export function requireFragment(fragment: string, fullConfig: string): void {
  const settings = new Map(configLines(fullConfig));
  const refused = configLines(fragment)
    .filter(([name, value]) => (settings.get(name) ?? 'n') !== value)
    .map(([name, value]) => `${name}=${value}`);
  if (refused.length === 0) return;
  throw new GuestImageError(
    'image.build-failed',
    `this kernel does not take ${refused.join(', ')}: what do they depend on in its Kconfig files?`,
  );
}

function configLines(text: string): [string, string][] {
  return [...text.matchAll(/^(CONFIG_\w+)=(.*)$/gm)].map(([, name = '', value = '']) => [name, value]);
}
