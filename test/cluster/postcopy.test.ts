/** Migrations in which the guest runs at the target before all of its memory is there. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { AgentBed, type BedVm } from '../support/agent-bed.ts';
import { until } from '../support/until.ts';

let bed: AgentBed;
let vm: BedVm;

beforeAll(async () => {
  bed = await AgentBed.start(['h1', 'h2']);
  vm = await bed.bootVm('web1', 'h1', 1);
});
afterAll(() => bed.close());

const other = (host: string): string => (host === 'h1' ? 'h2' : 'h1');

async function run(command: string, mark: RegExp): Promise<string> {
  const before = bed.console(vm).length;
  bed.type(vm, `${command}\n`);
  await until(`${command} prints ${mark}`, () => mark.test(bed.console(vm).slice(before)), 60_000);
  return bed.console(vm).slice(before);
}

async function expectAlive(): Promise<void> {
  await run('echo alive $((20 + 22))', /^alive 42\s*$/m);
}

const oneState = (hashes: { source: string; target: string; again: string | null }): void =>
  expect([hashes.target, hashes.again]).toEqual([hashes.source, hashes.source]);

describe('a migration in post-copy mode', () => {
  it('runs at the target at once, brings each page once, those it waits for first, and loses none', async () => {
    await run('dirtier 16 2000 page &', /dirtier: \d+ /);
    for (let time = 0; time < 4; time++) {
      const record = await bed.migrate(vm, other(vm.host), { mode: 'post-copy' });
      expect(record).toMatchObject({ mode: 'post-copy', precopyEnd: 'post-copy', rounds: [], reason: null });
      oneState({
        source: record.stateHashSource,
        target: record.stateHashTarget,
        again: record.stateHashSourceFull,
      });
      const { postcopy } = record;
      expect(postcopy?.pages).toBeGreaterThan(4096);
      expect(postcopy?.demandPages).toBeGreaterThan(0);
      await until('its host says that all is there', () => bed.report(vm.host, vm)?.missingPages === 0);
      await expectAlive();
    }
    expect(await run('killall dirtier', /dirtier: (verified|MISMATCH).*/)).toMatch(/verified 4096 pages/);
    expect(bed.console(vm)).not.toMatch(/MISMATCH/);
  });

  it('brings a sleeping guest, which wakes in time', async () => {
    bed.type(vm, 'sleep 3; echo woke $((20 + 22))\n');
    await until('the shell has read the command', () => bed.console(vm).trimEnd().endsWith('22))'));
    await bed.migrate(vm, other(vm.host), { mode: 'post-copy' });
    await until('the guest wakes', () => /^woke 42/m.test(bed.console(vm)), 15_000);
  });
});

describe('a migration in hybrid mode', () => {
  it('sends everything once beside the running guest, and what got dirty after it', async () => {
    await run('dirtier 16 100000 page &', /dirtier: \d+ /);
    const settings = { mode: 'hybrid', bandwidthCapBytesPerS: 50e6, compression: 'never' } as const;
    const record = await bed.migrate(vm, other(vm.host), settings);
    expect(record).toMatchObject({ mode: 'hybrid', reason: null, throttlePercentMax: 0 });
    expect(record.rounds.length).toBe(2);
    expect(record.postcopy?.pages).toBeGreaterThan(0);
    oneState({
      source: record.stateHashSource,
      target: record.stateHashTarget,
      again: record.stateHashSourceFull,
    });
    expect(await run('killall dirtier', /dirtier: (verified|MISMATCH).*/)).toMatch(/verified 4096 pages/);
  });

  it('leaves nothing to follow where rounds were enough', async () => {
    const record = await bed.migrate(vm, other(vm.host), { mode: 'hybrid', downtimeBudgetMs: 5000 });
    expect(record).toMatchObject({ precopyEnd: 'fits-budget', postcopy: null });
    await expectAlive();
  });
});

describe('a migration that may end in post-copy', () => {
  it('does so when rounds stopped helping', async () => {
    await run('dirtier 16 100000 page &', /dirtier: \d+ /);
    const record = await bed.migrate(vm, other(vm.host), {
      autoConverge: false,
      onNoConvergence: 'post-copy',
      bandwidthCapBytesPerS: 50e6,
      compression: 'never',
    });
    expect(record).toMatchObject({ mode: 'pre-copy', precopyEnd: 'rounds-stopped-helping', reason: null });
    expect(record.postcopy?.pages).toBeGreaterThan(0);
    oneState({
      source: record.stateHashSource,
      target: record.stateHashTarget,
      again: record.stateHashSourceFull,
    });
    expect(await run('killall dirtier', /dirtier: (verified|MISMATCH).*/)).toMatch(/verified 4096 pages/);
  });
});

describe('the loss of the source while pages are missing', () => {
  it('ends the guest at the target, which says what was lost and gives the lease back; it runs nowhere else', async () => {
    const from = vm.host;
    const to = other(from);
    const operation = await bed.beginMigration(vm, to, undefined, {
      mode: 'post-copy',
      bandwidthCapBytesPerS: 2_000_000,
      compression: 'never',
    });
    await until('the guest runs at the target without its memory', () => {
      const report = bed.report(to, vm);
      return report?.state === 'running' && report.missingPages > 0;
    });
    bed.agent(from).kill('SIGKILL');
    const record = await bed.recordOf(operation, 'target');
    expect(record.outcome).toBe('committed');
    expect(record.reason).toMatch(new RegExp(`^\\d+ pages of its memory were lost with ${from}`));
    await until('the copy is gone', () => bed.report(to, vm)?.state === 'stopped');
    expect(bed.report(to, vm)?.reason).toMatch(/pages of its memory were lost/);
  });
});
