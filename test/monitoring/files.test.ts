/** The files of the profile `monitoring`, judged by Prometheus' own tool and by the catalogue. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { catalogue, metricJobs } from '@skein/metrics';
import { afterAll, describe, expect, it } from 'vitest';
import { dashboardQueries } from '../support/dashboard.ts';
import { hasPrometheus } from '../support/scrape.ts';

const monitoring = resolve(import.meta.dirname, '../../compose/monitoring');
const folder = mkdtempSync(join(tmpdir(), 'skein-monitoring-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function promtool(...args: string[]): { status: number | null; output: string } {
  const { status, stdout, stderr } = spawnSync('promtool', args, { cwd: monitoring, encoding: 'utf8' });
  return { status, output: `${stdout}${stderr}` };
}

describe.skipIf(!hasPrometheus())('promtool', () => {
  it('takes the configuration', () => {
    expect(promtool('check', 'config', '--syntax-only', 'prometheus.yml')).toMatchObject({ status: 0 });
  });

  it('finds the alerts as their tests say', () => {
    expect(promtool('check', 'rules', 'alerts.yml')).toMatchObject({ status: 0 });
    expect(promtool('test', 'rules', 'alerts.test.yml')).toMatchObject({ status: 0 });
  });

  it('can read every query of the dashboard', () => {
    const rules = dashboardQueries().map(({ expression }, index) => ({
      record: `panel:query${index}`,
      expr: expression,
    }));
    expect(rules.length).toBeGreaterThan(30);
    const file = join(folder, 'dashboard.yml');
    writeFileSync(file, JSON.stringify({ groups: [{ name: 'dashboard', rules }] }));
    expect(promtool('check', 'rules', file)).toMatchObject({ status: 0 });
  });
});

describe('the alerts', () => {
  const text = readFileSync(join(monitoring, 'alerts.yml'), 'utf8');

  it('ask for metrics of the catalogue only', () => {
    const served = metricJobs.flatMap((job) =>
      Object.values(catalogue[job]).map(({ name }) => name as string),
    );
    const named = new Set(
      [...text.matchAll(/skein_\w+/g)].map(([name]) => name.replace(/_(bucket|sum|count)$/, '')),
    );
    expect(named.size).toBeGreaterThan(10);
    for (const name of named) expect(served).toContain(name);
  });

  it('say what it means and what to do', () => {
    const count = (pattern: RegExp): number => [...text.matchAll(pattern)].length;
    expect(count(/summary:/g)).toBe(count(/- alert:/g));
    expect(count(/action:/g)).toBe(count(/- alert:/g));
    expect(count(/severity: (critical|warning)/g)).toBe(count(/- alert:/g));
  });
});
