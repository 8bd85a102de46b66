/** `skein machine run` whose input is no keyboard: it ends behind it, unless the guest has something else to do. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { ensureGuestImage } from '@skein/guests';
import { beforeAll, describe, expect, it } from 'vitest';
import { until } from '../support/until.ts';

const main = resolve(import.meta.dirname, '../../packages/cli/src/main.ts');

beforeAll(async () => {
  await ensureGuestImage({});
});

/** Of Debian's package opensbi. */
const openSbi = '/usr/lib/riscv64-linux-gnu/opensbi/generic/fw_dynamic.bin';

/** Its input is given whole, and ends. */
function run(input: string, ...args: string[]) {
  const child = spawn(process.execPath, [main, 'machine', 'run', ...args]);
  let text = '';
  child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
    text += chunk;
  });
  child.stdin.end(input);
  const ended = once(child, 'close').then(([code, signal]) => (signal as string | null) ?? (code as number));
  return { child, ended, text: () => text };
}

describe('a machine on its own', () => {
  it('boots and powers off where there is no input at all', async () => {
    const { ended, text } = run('');
    expect(await ended).toBe(0);
    expect(text()).toContain('skein-guest: ready');
  }, 60_000);

  it('does what is piped to it before it powers off, a last line without an end included', async () => {
    const { ended, text } = run('sleep 1; echo $((40 + 2))\necho last $((6 * 7))');
    expect(await ended).toBe(0);
    expect(text()).toMatch(/^42\r$[\s\S]*^last 42\r$/m);
  }, 60_000);

  it.skipIf(!existsSync(openSbi))(
    'boots on OpenSBI, which runs in M mode, instead of the built-in SBI',
    async () => {
      const { digest } = await ensureGuestImage({});
      const { ended, text } = run(
        'dmesg | grep -o "SBI implementation.*"\n',
        '--bios',
        openSbi,
        '--image',
        digest,
      );
      expect(await ended).toBe(0);
      expect(text()).toMatch(/^OpenSBI v\d/m);
      expect(text()).toContain('Domain0 Next Address      : 0x0000000080200000');
      // 1 is OpenSBI's number. Source: RISC-V SBI Specification 2.0, "SBI Implementation IDs".
      expect(text()).toMatch(/^SBI implementation ID=0x1 /m);
    },
    60_000,
  );

  it('goes on without input while it has a workload', async () => {
    const { child, ended, text } = run('', '--append', 'skein.run=ticker,100');
    await until('it ticks', () => /^t 20 /m.test(text()), 60_000);
    child.kill('SIGTERM');
    expect(await ended).toBe(130);
  }, 90_000);
});
