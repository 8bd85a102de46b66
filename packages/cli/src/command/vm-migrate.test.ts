import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { OperationView } from '@skein/shared';
import { afterAll, beforeAll, describe, it } from 'vitest';
import { exampleMigration, exampleRounds } from '../testing/example-migration.ts';
import { runSkein, type SkeinRun } from '../testing/run-skein.ts';
import { answerJson, exampleOperation, exampleVm, ScriptedApi } from '../testing/scripted-api.ts';

let folder = '';

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'skein-migrate-'));
  await writeFile(join(folder, 'token'), 'ab'.repeat(32), { mode: 0o600 });
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const running: OperationView = { ...exampleOperation, kind: 'vm-migrate', targetHost: 'h2' };
const ended = { ...running, endedAtMs: 1_700_000_000_500 };

function after(rounds: number): OperationView {
  const seen = exampleRounds.slice(0, rounds);
  const { operation, vm } = exampleMigration;
  const progress = {
    operation,
    vm,
    phase: 'pre-copy',
    round: rounds,
    pagesSent: 1,
    pagesRemaining: 1,
  } as const;
  const lastRound = seen.at(-1) ?? null;
  const told = { bytes: 1, throttlePercent: 0, lastRound, currentRound: null, rounds: seen };
  return { ...running, progress: { ...progress, ...told } };
}

interface Migration extends SkeinRun {
  readonly requests: readonly unknown[];
}

/** The operation looks like this each time it is asked for, the last one for ever. */
async function migrate(looks: readonly OperationView[], ...options: readonly string[]): Promise<Migration> {
  let asked = 0;
  const api = await ScriptedApi.start(({ method, path }, response) => {
    if (method === 'POST') answerJson(response, 200, { vm: exampleVm, operation: running.id });
    else if (path === '/v1/vms') answerJson(response, 200, [exampleVm]);
    else answerJson(response, 200, looks[Math.min(asked++, looks.length - 1)]);
  });
  const environment = { SKEIN_URL: api.url, SKEIN_TOKEN_FILE: join(folder, 'token') };
  const run = await runSkein(['vm', 'migrate', 'web1', ...options], { environment });
  await api.close();
  const requests = api.requests.filter(({ method }) => method === 'POST').map(({ body }) => body);
  return { ...run, requests };
}

const succeeded: OperationView = { ...ended, state: 'succeeded', migration: exampleMigration };

function roundsShown(text: string): readonly (string | undefined)[] {
  return [...text.matchAll(/^ +(\d+) +\d+ +\d+ .*$/gm)].map(([, round]) => round);
}

describe.concurrent('skein vm migrate', () => {
  it('asks for what was given, and leaves the rest to the coordinator', async ({ expect }) => {
    const [all, none] = await Promise.all([
      migrate(
        [succeeded],
        ...['--to', 'h2', '--mode', 'pre-copy', '--downtime', '7.5', '--deadline', '5m', '--no-deltas'],
        ...['--on-no-convergence', 'fail', '--no-auto-converge', '--bandwidth', '100mbit'],
        ...['--compression', 'always'],
      ),
      migrate([succeeded]),
    ]);
    expect(all.requests).toEqual([
      {
        host: 'h2',
        mode: 'pre-copy',
        downtimeBudgetMs: 7.5,
        deadlineMs: 300_000,
        onNoConvergence: 'fail',
        autoConverge: false,
        bandwidthCapBytesPerS: 12_500_000,
        compression: 'always',
        deltas: false,
      },
    ]);
    expect(none.requests).toEqual([{}]);
  });

  it('shows each round once as it ends, also those that ended between two looks', async ({ expect }) => {
    const run = await migrate([after(0), after(1), after(1), succeeded]);
    expect(run.exitCode).toBe(0);
    expect(run.stderr.match(/ROUND .*DELTA .*SLOWED +LEFT +DOWNTIME IF STOPPED/g)).toHaveLength(1);
    expect(roundsShown(run.stderr)).toEqual(['1', '2', '3']);
    expect(run.stdout).toMatch(/^vm\/web1 moved \(op-0123456789abcdef\)\nh1 -> h2, pre-copy, committed\n/);
    expect(run.stdout).toContain('the vCPU by up to 20 %');
    expect(run.stdout).not.toContain('ROUND');
  });

  it('shows the rounds of one that failed too, and why it did', async ({ expect }) => {
    const problem = { code: 'migration.aborted' as const, message: 'h2 went away', details: {} };
    const migration = { ...exampleMigration, outcome: 'aborted' as const, rounds: exampleRounds.slice(0, 2) };
    const run = await migrate([after(1), { ...ended, state: 'failed', problem, migration }]);
    expect([run.exitCode, run.stdout]).toEqual([1, '']);
    expect(roundsShown(run.stderr)).toEqual(['1', '2']);
    expect(run.stderr).toMatch(/skein: h2 went away\n$/);
  });

  it('that cannot be observed is not asked for', async ({ expect }) => {
    const [unawaited, itself] = await Promise.all([
      runSkein(['vm', 'migrate', 'web1', '--observe-ticks', '--no-wait']),
      migrate([succeeded], '--observe-pings', 'web1'),
    ]);
    expect(unawaited.stderr).toContain('a migration is observed to its end');
    expect(itself.stderr).toContain('web1 cannot ping itself');
    expect([unawaited.exitCode, itself.exitCode, itself.requests]).toEqual([2, 2, []]);
  });

  it('is the operation and nothing else for a program', async ({ expect }) => {
    const run = await migrate([after(1), succeeded], '--output', 'json');
    expect(JSON.parse(run.stdout)).toEqual(succeeded);
    expect(run.stderr).not.toContain('ROUND');
  });

  it.for<readonly [string, readonly string[], RegExp]>([
    ['a mode that is none', ['--mode', 'psychic'], /psychic.*Allowed choices are pre-copy/],
    ['no downtime at all', ['--downtime', '0'], /from 1 to 10000/],
    ['a downtime with a unit', ['--downtime', '10ms'], /number of milliseconds/],
    ['a deadline without a unit', ['--deadline', '30'], /30s or 5m/],
    ['a deadline of two hours', ['--deadline', '2h'], /from 1s to 1h/],
    ['a rate that is none', ['--bandwidth', 'fast'], /100mbit, 1gbit, 20MB/],
    ['a rate too low to end', ['--bandwidth', '1kB'], /64KiB/],
    ['compression now and then', ['--compression', 'maybe'], /auto, always, never/],
    ['a name that is none', ['--observe-pings', 'A B'], /observe-pings/],
    ['an unknown way out', ['--on-no-convergence', 'pray'], /fail, force/],
  ])('is 2 and one message for %s', async ([, options, message], { expect }) => {
    const run = await runSkein(['vm', 'migrate', 'web1', ...options]);
    expect(run.stderr).toMatch(message);
    expect([run.exitCode, run.stdout]).toEqual([2, '']);
  });
});
