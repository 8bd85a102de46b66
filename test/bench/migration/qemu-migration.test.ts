/** The bench's QEMU side, with a real QEMU whose machine has no kernel and is not started. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { requireQemu } from '../../support/qemu.ts';
import { until } from '../../support/until.ts';
import { QemuMachine } from './qemu-machine.ts';
import { configure, listenForSource, migrateQemu } from './qemu-migration.ts';
import { qemuSettings, withAutoConverge } from './qemu-settings.ts';

const folder = mkdtempSync(join(tmpdir(), 'skein-qemu-test-'));
const machines: QemuMachine[] = [];

beforeAll(() => void requireQemu());
afterAll(async () => {
  await Promise.all(machines.map((machine) => machine.kill()));
  rmSync(folder, { recursive: true, force: true });
});

async function start(...more: readonly string[]): Promise<QemuMachine> {
  const name = `qmp-${machines.length}`;
  const args = ['-m', '64', '-nic', 'none', '-S', ...more];
  const machine = await QemuMachine.start({ folder, name, args, hear: () => {} });
  machines.push(machine);
  return machine;
}

describe('a migration between two QEMUs', () => {
  it.each(qemuSettings.flatMap((setting) => [setting, withAutoConverge(setting)]))(
    'is set up by $name with $capabilities, and told of when it is over',
    async (setting) => {
      const [source, target] = [await start(), await start('-incoming', 'defer')];
      const uri = await listenForSource(target, setting);
      await configure(source, setting);
      const moved = await migrateQemu(source, target, uri, setting);
      expect(moved).toMatchObject({ isConverged: true, hasMoved: true });
      expect(moved.totalMs).toBeGreaterThan(0);
      expect(moved.downtimeMs).toBeLessThanOrEqual(moved.totalMs);
      expect(moved.bytes).toBeGreaterThan(0);
      await expect(source.qmp.execute('query-status')).resolves.toMatchObject({ status: 'postmigrate' });
      await Promise.all([source.kill(), target.kill()]);
    },
  );

  it('that fails says why', async () => {
    const [setting] = qemuSettings;
    if (setting === undefined) throw new Error('there are settings');
    const [source, target] = [await start(), await start()];
    await configure(source, setting);
    await expect(migrateQemu(source, target, 'tcp:127.0.0.1:1', setting)).rejects.toThrow(/refused/i);
    await expect(source.qmp.execute('nothing-of-the-kind')).rejects.toThrow(/not been found/);
  });
});

describe('a QEMU of the bench', () => {
  it('says what is wrong with its arguments', async () => {
    await expect(start('-no-such-option')).rejects.toThrow(/no-such-option/);
  });

  it('is gone when the bench is killed', async () => {
    const owner = spawn(process.execPath, [join(import.meta.dirname, 'qemu-owner.fixture.ts'), folder], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const [line] = (await once(owner.stdout, 'data')) as [Buffer];
    const pid = Number(line.toString());
    expect(existsSync(`/proc/${pid}`)).toBe(true);
    owner.kill('SIGKILL');
    await until('QEMU is gone', () => !existsSync(`/proc/${pid}`));
  });
});
