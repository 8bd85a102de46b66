import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { formatLedger, ledgerLines, nothingObserved, type OperationView, readLedger } from '@skein/shared';
import { afterAll, beforeAll, describe, it } from 'vitest';
import { exampleMigration, exampleRounds } from '../testing/example-migration.ts';
import { runSkein, type SkeinRun } from '../testing/run-skein.ts';
import { answerJson, exampleOperation, ScriptedApi } from '../testing/scripted-api.ts';

let folder = '';
let api: ScriptedApi;

const migrated: OperationView = {
  ...exampleOperation,
  kind: 'vm-migrate',
  state: 'succeeded',
  targetHost: 'h2',
  endedAtMs: 1_700_000_000_500,
  migration: exampleMigration,
};
/** One that was watched, but for its network. */
const watched: OperationView = {
  ...migrated,
  id: 'op-4444444444444444',
  observation: {
    guest: {
      gapMs: 8.75,
      hasEnded: true,
      windowMs: 612,
      readings: 420,
      lost: 1,
      controlGapMs: 1.5,
      controlWindowMs: 1003,
    },
    network: null,
  },
};
const rounds = exampleRounds.slice(0, 1);
const running: OperationView = {
  ...migrated,
  id: 'op-1111111111111111',
  state: 'running',
  endedAtMs: null,
  migration: null,
  progress: {
    operation: 'op-1111111111111111',
    vm: exampleMigration.vm,
    phase: 'pre-copy',
    round: 1,
    pagesSent: 23_493,
    pagesRemaining: 6500,
    bytes: 49_000_000,
    throttlePercent: 20,
    lastRound: rounds[0] ?? null,
    currentRound: {
      round: 2,
      pages: 500,
      pagesTotal: 7000,
      bytes: 1_900_000,
      bandwidthBytesPerS: 125_000,
      remainingMs: 197_600,
    },
    rounds,
  },
};
const lost: OperationView = {
  ...migrated,
  id: 'op-2222222222222222',
  state: 'failed',
  migration: null,
  problem: { code: 'migration.outcome-unknown', message: 'both hosts were lost', details: {} },
};
const started: OperationView = { ...exampleOperation, id: 'op-3333333333333333', state: 'succeeded' };
/** Nobody but who watched it tells anything of this one. */
const orphaned: OperationView = {
  ...lost,
  id: 'op-5555555555555555',
  observation: {
    guest: null,
    network: {
      gapMs: 5012,
      hasEnded: false,
      windowMs: 40,
      readings: 9,
      lost: 0,
      controlGapMs: null,
      controlWindowMs: 0,
    },
  },
};
const operations = [migrated, running, lost, started, watched, orphaned];

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'skein-migrations-'));
  await writeFile(join(folder, 'token'), 'ab'.repeat(32), { mode: 0o600 });
  await writeFile(join(folder, 'ledger'), formatLedger(ledgerLines(exampleMigration, nothingObserved)));
  api = await ScriptedApi.start(({ path }, response) => {
    const id = path.split('/').at(-1);
    const one = operations.find((operation) => operation.id === id);
    if (path.startsWith('/v1/operations?')) answerJson(response, 200, operations);
    else if (one !== undefined) answerJson(response, 200, one);
    else answerJson(response, 404, { code: 'operation.not-found', message: `there is no operation ${id}` });
  });
});

afterAll(async () => {
  await api.close();
  await rm(folder, { recursive: true, force: true });
});

function skein(...args: readonly string[]): Promise<SkeinRun> {
  return runSkein(args, { environment: { SKEIN_URL: api.url, SKEIN_TOKEN_FILE: join(folder, 'token') } });
}

describe.concurrent('skein migration', () => {
  it('lists migrations and nothing else, with what they cost', async ({ expect }) => {
    const { stdout } = await skein('migration', 'list');
    expect(stdout.split('\n').map((line) => line.split(/ {2,}/).filter((_, index) => index !== 4))).toEqual([
      ['ID', 'VM', 'FROM', 'TO', 'OUTCOME', 'ROUNDS', 'DOWNTIME', 'TOTAL', 'REASON'],
      [migrated.id, 'web1', 'h1', 'h2', 'committed', '3', '7.00 ms', '434 ms', '-'],
      [running.id, 'web1', 'h1', 'h2', 'running', '-', '-', '-', '-'],
      [lost.id, 'web1', 'h1', 'h2', 'failed', '-', '-', '-', 'both hosts were lost'],
      [watched.id, 'web1', 'h1', 'h2', 'committed', '3', '7.00 ms', '434 ms', '-'],
      [orphaned.id, 'web1', 'h1', 'h2', 'failed', '-', '-', '-', 'both hosts were lost'],
      [''],
    ]);
  });

  it('prints a ledger that can be read back, also for a unique beginning of the id', async ({ expect }) => {
    const { stdout } = await skein('migration', 'ledger', 'op-0123');
    expect(readLedger(stdout).lines).toEqual(ledgerLines(exampleMigration, nothingObserved));
  });

  it('writes a report where it is told to, and to standard output', async ({ expect }) => {
    const path = join(folder, 'report.html');
    const [written, printed] = await Promise.all([
      skein('migration', 'report', migrated.id, '-o', path, '--guest-gap', '9.5'),
      skein('migration', 'report', migrated.id, '--output', '-'),
    ]);
    expect([written.exitCode, written.stdout, written.stderr]).toEqual([0, '', `the report is in ${path}\n`]);
    expect(await readFile(path, 'utf8')).toMatch(
      /^<!doctype html>[\s\S]*9\.50 ms[\s\S]*not observed[\s\S]*<\/html>\n$/,
    );
    expect(printed.stdout).toMatch(/^<!doctype html>/);
  });

  it('shows what was observed in the list that is wide, in the ledger, the report and the description', async ({
    expect,
  }) => {
    const [wide, ledger, report, description] = await Promise.all([
      skein('migration', 'list', '--output', 'wide'),
      skein('migration', 'ledger', watched.id),
      skein('migration', 'report', watched.id, '-o', '-', '--network-gap', '17.25'),
      skein('describe', 'operation', watched.id),
    ]);
    expect(wide.stdout).toMatch(/GUEST GAP +NETWORK GAP/);
    expect(wide.stdout).toMatch(/op-4444.* 7\.00 ms +8\.75 ms +- /);
    expect(readLedger(ledger.stdout).downtime?.clocks).toEqual({
      hypervisor: 7,
      guest: 8.75,
      network: null,
    });
    for (const gap of ['8.75 ms', '17.25 ms']) expect(report.stdout).toContain(gap);
    expect(report.stdout).not.toContain('not observed');
    expect(description.stdout).toContain(
      'guest     8.75 ms at most between two of 420 ticks in 612 ms, 1 lost; without a migration 1.50 ms, in the 1.0 s before',
    );
    expect(report.stdout).toContain('By the guest&#39;s clock: 8.75 ms at most between two of 420 ticks');
  });

  it('describes what was observed where no host has told anything', async ({ expect }) => {
    const { stdout } = await skein('describe', 'operation', orphaned.id);
    expect(stdout).toMatch(
      /observed:\n {2}network +5012 ms and more \(not heard again\), after 9 answers to pings in 40 ms, 0 lost\n/,
    );
  });

  it('describes the whole record', async ({ expect }) => {
    const { stdout } = await skein('describe', 'operation', migrated.id);
    for (const text of [
      'asked for pre-copy, downtime 10.00 ms, deadline 2m00s, without convergence force, auto-converge on',
      'bandwidth without a cap, compression auto, deltas on',
      '30103 pages of 128 MiB, 10000 of them free, 1563 zero, 6100 as deltas',
      'compressed to 98.3 %',
      'stopped   what was left fitted the downtime budget',
      'slowed    the vCPU by up to 20 %',
      'suspend asked for +408.00 ms, suspended +408.40 ms',
      'DELTA',
    ])
      expect(stdout).toContain(text);
  });

  it('describes how far one is that runs, with every round so far', async ({ expect }) => {
    const { stdout } = await skein('describe', 'operation', running.id);
    expect(stdout).toContain(
      'pre-copy, round 1: 23493 pages sent, 6500 remaining; the vCPU is slowed by 20 %',
    );
    expect(stdout).toContain('round 2: 7 %, about 3m17s left at 122.1 KiB/s, 500 of 7000 pages, 1.8 MiB\n');
    expect(stdout).toMatch(/^ +ROUND .*\n +1 +23493 .*\n$/m);
  });

  it('replays a ledger without a cluster, beside what was measured', async ({ expect }) => {
    const ledger = join(folder, 'ledger');
    const [table, json] = await Promise.all([
      runSkein([
        'migration',
        'replay',
        ledger,
        '--mode',
        'pre-copy',
        '--bandwidth',
        '10MB',
        '--no-auto-converge',
      ]),
      runSkein(['migration', 'replay', ledger, '--downtime', '500', '-o', 'json']),
    ]);
    expect(table.stdout).toMatch(/not a measurement\n/);
    expect(table.stdout).toMatch(/at most 80mbit/);
    expect(table.stdout).toMatch(/^total +434 ms +\d+ ms$/m);
    expect(table.stdout).toMatch(/^assumed:\n- the guest dirties pages as in the trace/m);
    expect(JSON.parse(json.stdout)).toMatchObject({
      outcome: 'committed',
      precopyEnd: 'fits-budget',
      settings: { downtimeBudgetMs: 500 },
      rounds: [
        { round: 1, pages: 23_493 },
        { round: 2, phase: 'stop-and-copy' },
      ],
    });
  });

  it.for<readonly [number, string, readonly string[], RegExp]>([
    [3, 'an unknown id', ['ledger', 'op-9999999999999999'], /there is no operation op-9999999999999999/],
    [3, 'an unknown beginning', ['ledger', 'op-99'], /no operation is named op-99/],
    [3, 'one that still runs', ['ledger', running.id], /is running and has no record until it ends/],
    [3, 'one without a record', ['report', lost.id, '-o', '-'], /left no record: both hosts were lost/],
    [2, 'another kind', ['ledger', started.id], /is a vm-start, no migration: `skein migration list`/],
    [2, 'a beginning of several', ['ledger', 'op-'], /beginning of 6 operation names/],
    [2, 'a report to nowhere', ['report', migrated.id], /--output report\.html/],
    [1, 'a folder that is not there', ['report', migrated.id, '-o', '/nonexistent/r.html'], /ENOENT/],
    [2, 'a gap that is none', ['report', migrated.id, '-o', '-', '--guest-gap', 'long'], /milliseconds/],
    [2, 'a ledger that is not there', ['replay', '/nonexistent/ledger'], /cannot be read \(ENOENT\)/],
    [
      2,
      'a file that is no ledger',
      ['replay', import.meta.filename],
      /no whole ledger of a migration: line 1/,
    ],
    [2, 'an unknown mode', ['replay', 'x', '--mode', 'psychic'], /Allowed choices are pre-copy/],
    [2, 'a form of output that is none', ['list', '-o', 'report.html'], /must be one of table, wide, json/],
  ])('is %d and one message for %s', async ([exitCode, , args, message], { expect }) => {
    const run = await skein('migration', ...args);
    expect(run.stderr).toMatch(message);
    expect([run.exitCode, run.stdout]).toEqual([exitCode, '']);
  });
});
