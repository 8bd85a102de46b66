import { describe, expect, test } from 'vitest';
import { parsePackage } from './apt.ts';
import { debianSources } from './apt-sources.ts';

const keyring = '/usr/share/keyrings/debian-archive-keyring.gpg';

describe('debianSources', () => {
  test('reads the deb822 style, with comments and continued lines', () => {
    const text = `# a comment
Types: deb deb-src
# another
URIs: http://mirror.example/debian
Suites: bookworm
 bookworm-updates
Components: main contrib
Signed-By: ${keyring}

Types: deb
URIs: http://mirror.example/debian-security
Suites: bookworm-security
Components: main
`;
    expect(debianSources([{ name: '/etc/apt/sources.list.d/debian.sources', text }])).toEqual([
      { uri: 'http://mirror.example/debian', keyring },
    ]);
  });

  test('reads the one-line style, with and without options', () => {
    const text = `deb http://plain.example/debian/ trixie main # comment
deb [arch=amd64 signed-by=${keyring}] http://signed.example/debian sid main
# deb http://off.example/debian sid main
deb-src http://source.example/debian sid main
`;
    expect(debianSources([{ name: '/etc/apt/sources.list', text }])).toEqual([
      { uri: 'http://signed.example/debian', keyring },
      { uri: 'http://plain.example/debian/', keyring: undefined },
    ]);
  });

  test('passes over what is disabled, only sources, or not Debian', () => {
    const text = `Enabled: no
Types: deb
URIs: http://off.example/debian
Suites: sid
Components: main

Types: deb-src
URIs: http://source.example/debian
Suites: sid
Components: main

Types: deb
URIs: http://vendor.example/apt
Suites: nodistro
Components: main

Types: deb
URIs: http://vendor.example/debian
Suites: bookworm
Components: stable
`;
    expect(debianSources([{ name: 'x.sources', text }])).toEqual([]);
  });

  test('puts what is signed by Debian first, and a source that occurs twice once', () => {
    const text = `deb http://vendor.example/packages bookworm main
deb http://mirror.example/debian bookworm main
deb http://mirror.example/debian bookworm-updates main
deb [signed-by=${keyring}] http://pool.example/mirror bookworm main
`;
    expect(debianSources([{ name: 'sources.list', text }]).map(({ uri }) => uri)).toEqual([
      'http://pool.example/mirror',
      'http://mirror.example/debian',
      'http://vendor.example/packages',
    ]);
  });
});

describe('parsePackage', () => {
  const text = `Package: linux-image-riscv64
Version: 7.2.12-1
Depends: linux-image-7.2.12+deb14-riscv64 (= 7.2.12-1), a:any | b (>= 2)
Size: 1460
SHA256: ${'0123456789abcdef'.repeat(4)}
Description: for a test

Package: linux-image-riscv64
Version: 6.1-1
`;

  test('reads the first paragraph', () => {
    expect(parsePackage(text, 'linux-image-riscv64')).toEqual({
      name: 'linux-image-riscv64',
      version: '7.2.12-1',
      sha256: '0123456789abcdef'.repeat(4),
      bytes: 1460,
      dependsOn: ['linux-image-7.2.12+deb14-riscv64', 'a', 'b'],
    });
  });

  test('gives nothing for another package, or one without a hash', () => {
    expect(parsePackage(text, 'busybox-static')).toBeUndefined();
    expect(parsePackage(text.replace(/^SHA256.*\n/m, ''), 'linux-image-riscv64')).toBeUndefined();
  });
});
