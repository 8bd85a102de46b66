import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { imagesNamedIn, makeDeclaredImages } from './declared-images.ts';

const digest = 'ab'.repeat(32);

describe('the images of a cluster file', () => {
  it.each<[string, string, readonly string[]]>([
    ['are Debian’s where a VM names none', 'vms: [{ name: a }]', ['debian']],
    [
      'are those that are named, each once, what is compiled first',
      `vms:
  - { name: a }
  - { name: b, image: small }
  - { name: c, image: debian }
  - { name: d, image: small }
`,
      ['small', 'debian'],
    ],
    ['are no others than those', 'vms: [{ name: a, image: small }]', ['small']],
    ['cannot be made by a digest', `vms: [{ name: a, image: ${digest} }]`, []],
    ['are none where there are no VMs', '', []],
    ['are none where the file is none: others say why', 'vms: [{ name: a, image: small, colour: red }]', []],
    ['are none of what is no YAML', 'vms: [}', []],
  ])('%s', (_, text, images) => {
    expect(imagesNamedIn(text)).toEqual(images);
  });
});

describe('making them', () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'skein-declared-'));
  });
  afterEach(() => {
    vi.unstubAllEnvs();
    rmSync(folder, { recursive: true });
  });

  it('needs a compiler for the small kernel, and says so before anything is fetched', async () => {
    const file = join(folder, 'cluster.yaml');
    writeFileSync(file, 'vms: [{ name: a, image: small }, { name: b }]');
    vi.stubEnv('PATH', join(folder, 'empty'));
    vi.stubEnv('XDG_CACHE_HOME', folder);
    await expect(makeDeclaredImages(file)).rejects.toMatchObject({
      code: 'image.toolchain-missing',
      message: expect.stringMatching(
        /^guests of \S+cluster\.yaml have the image small: .* lacks .*: apt-get install gcc-riscv64-linux-gnu /,
      ) as string,
    });
  });
});
