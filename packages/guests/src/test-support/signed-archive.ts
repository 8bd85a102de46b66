/**
 * A Debian archive of a few packages in a folder, signed with a key made for it: what a mirror is to apt, without
 * a network. Needs gpg. Source: DebianRepository/Format, "Release files" and "Packages Indices".
 */
import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { sha256 } from '../digest.ts';
import { type FakePackage, writePackage } from './fake-packages.ts';

/** Whether this machine can sign an archive. */
export function hasGpg(): boolean {
  try {
    execFileSync('gpg', ['--version'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

export class SignedArchive {
  /** The archive's root: what stands after `file:` in a source. */
  readonly folder: string;
  readonly keyring: string;
  readonly #gpgHome: string;

  constructor(folder: string) {
    this.folder = folder;
    this.keyring = join(folder, 'debian-archive-test.gpg');
    // Short, since gpg's agent opens a socket in it.
    this.#gpgHome = join(folder, 'gpg');
    mkdirSync(this.#gpgHome, { recursive: true, mode: 0o700 });
    this.#gpg([
      '--quick-generate-key',
      '--passphrase',
      '',
      'archive <archive@example.invalid>',
      'rsa2048',
      'sign',
    ]);
    writeFileSync(this.keyring, this.#gpg(['--export']));
  }

  /** Publishes the packages as a suite, in place of what it had. */
  publish(suite: string, packages: readonly FakePackage[]): void {
    const pool = join(this.folder, 'pool', suite);
    rmSync(pool, { recursive: true, force: true });
    const index = packages.map((fake) => this.#describe(fake, writePackage(pool, fake))).join('\n');
    const folder = join(this.folder, 'dists', suite);
    mkdirSync(join(folder, 'main/binary-riscv64'), { recursive: true });
    writeFileSync(join(folder, 'main/binary-riscv64/Packages'), index);
    const release =
      `Origin: Debian\nSuite: ${suite}\nCodename: ${suite}\nArchitectures: riscv64\nComponents: main\n` +
      `Date: ${new Date().toUTCString()}\nSHA256:\n` +
      ` ${sha256(index)} ${Buffer.byteLength(index)} main/binary-riscv64/Packages\n`;
    writeFileSync(join(folder, 'Release'), release);
    rmSync(join(folder, 'InRelease'), { force: true });
    this.#gpg(['--clearsign', '--output', join(folder, 'InRelease'), join(folder, 'Release')]);
  }

  /** Where a package of a suite lies, for a test to damage it. */
  packageFile(suite: string, name: string): string {
    const index = readFileSync(join(this.folder, 'dists', suite, 'main/binary-riscv64/Packages'), 'utf8');
    const file = new RegExp(
      `^Package: ${name.replaceAll('+', '\\+')}\\n(?:.+\\n)*?Filename: (.+)$`,
      'm',
    ).exec(index)?.[1];
    return join(this.folder, file ?? '');
  }

  /** Ends the agent that gpg started for this key. */
  close(): void {
    execFileSync('gpgconf', ['--homedir', this.#gpgHome, '--kill', 'all'], { stdio: 'ignore' });
  }

  #describe(fake: FakePackage, path: string): string {
    const data = readFileSync(path);
    return (
      `Package: ${fake.name}\nVersion: ${fake.version}\nArchitecture: riscv64\n` +
      (fake.depends === undefined ? '' : `Depends: ${fake.depends}\n`) +
      `Maintainer: nobody <nobody@example.invalid>\nDescription: for a test\n` +
      `Filename: ${relative(this.folder, path)}\nSize: ${data.length}\nSHA256: ${sha256(data)}\n`
    );
  }

  #gpg(args: readonly string[]): Buffer {
    return execFileSync(
      'gpg',
      ['--homedir', this.#gpgHome, '--batch', '--yes', '--pinentry-mode', 'loopback', ...args],
      {
        stdio: ['ignore', 'pipe', 'pipe'],
      },
    );
  }
}
