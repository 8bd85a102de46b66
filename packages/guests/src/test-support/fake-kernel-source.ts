/**
 * A source of Linux that a make of ours "compiles" in no time, and programs that pass for compiler and make: for what is
 * done around a compilation. `pnpm test:small-kernel` compiles the real one.
 */
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { type FakePackage, fakeKernelImage } from './fake-packages.ts';

export const fakeRelease = '6.1.999-skein-small';

/** What its compilation does. */
export type Behaviour = 'compile' | 'fail' | 'take forever' | 'refuse an option';

/** As Debian's package `linux-source-6.1`. */
export function fakeKernelSource(behaviour: Behaviour = 'compile', version = '6.1.999-1'): FakePackage {
  const folder = mkdtempSync(join(tmpdir(), 'skein-fake-source-'));
  try {
    const files = {
      behaviour: `${behaviour}\n`,
      image: fakeKernelImage(`Linux ${fakeRelease} virtio-ports`),
      // As the real one is called: -m .config FRAGMENT.
      'scripts/kconfig/merge_config.sh': 'cat "$3" >>"$2"\n',
    };
    for (const [name, content] of Object.entries(files)) {
      const path = join(folder, 'linux-source-6.1', name);
      mkdirSync(dirname(path), { recursive: true });
      writeFileSync(path, content);
    }
    const archive = join(folder, 'source.tar.xz');
    const options = ['--sort=name', '--mtime=@0', '--owner=0', '--group=0'];
    execFileSync('tar', [
      '--create',
      '--xz',
      ...options,
      '--directory',
      folder,
      '--file',
      archive,
      'linux-source-6.1',
    ]);
    const data = readFileSync(archive);
    return {
      name: 'linux-source-6.1',
      version,
      architecture: 'all',
      files: { 'usr/src/linux-source-6.1.tar.xz': data },
    };
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** The last word is the target. The image ends with all that the build knew of its surroundings. */
const make = `#!/bin/sh
for target; do :; done
read -r behaviour <behaviour
case $target in
  tinyconfig) echo CONFIG_TINY=y >.config ;;
  olddefconfig)
    sed -i '/=n$/d' .config
    [ "$behaviour" = 'refuse an option' ] && sed -i /CONFIG_VIRTIO_NET=/d .config ;;
  Image)
    echo "  CC      init/main.o in process $$"
    [ "$behaviour" = 'take forever' ] && sleep 600
    [ "$behaviour" = fail ] && { echo 'init/main.c:1:1: error: no such thing' >&2; exit 2; }
    mkdir -p arch/riscv/boot
    { cat image; env | sed 's/=.*//' | sort; } >arch/riscv/boot/Image ;;
  kernelrelease) echo ${fakeRelease} ;;
esac
exit 0
`;

/** Puts programs into a folder that pass for the tools; `compilerVersion` is what the compiler says of itself. */
export function writeFakeTools(folder: string, compilerVersion: string): void {
  mkdirSync(folder, { recursive: true });
  const programs: Readonly<Record<string, string>> = {
    'riscv64-linux-gnu-gcc': `#!/bin/sh\necho 'gcc ${compilerVersion}'\n`,
    'riscv64-linux-gnu-ld': `#!/bin/sh\necho 'ld 2.40'\n`,
    ...Object.fromEntries(['gcc', 'flex', 'bison', 'bc'].map((name) => [name, '#!/bin/sh\n'])),
    make,
  };
  for (const [name, script] of Object.entries(programs))
    writeFileSync(join(folder, name), script, { mode: 0o755 });
}
