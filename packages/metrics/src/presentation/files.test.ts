import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { catalogue, metricJobs } from '../catalogue/catalogue.ts';
import { libraryMetrics } from '../catalogue/library.ts';
import { datasource } from './dashboard.ts';
import { generatedFiles } from './files.ts';

const root = new URL('../../../../', import.meta.url);
const files = generatedFiles();

interface PanelJson {
  readonly id: number;
  readonly type: string;
  readonly title: string;
  readonly gridPos: { readonly x: number; readonly y: number; readonly w: number; readonly h: number };
  readonly datasource?: { readonly uid: string };
  readonly targets?: readonly { readonly expr: string; readonly datasource: { readonly uid: string } }[];
}

const dashboard = JSON.parse(files.get('compose/monitoring/grafana/dashboards/skein.json') ?? '') as {
  readonly panels: readonly PanelJson[];
  readonly templating: { readonly list: readonly { readonly query: { readonly query: string } }[] };
};

describe('files made from the catalogue', () => {
  it.each([...files])('%s is not stale (else: npx --yes pnpm@12 metrics)', (path, text) => {
    expect(readFileSync(new URL(path, root), 'utf8')).toBe(text);
  });
});

describe('the dashboard', () => {
  const panels = dashboard.panels.filter(({ type }) => type !== 'row');
  const expressions = [
    ...panels.flatMap(({ targets }) => (targets ?? []).map(({ expr }) => expr)),
    ...dashboard.templating.list.map(({ query }) => query.query),
  ];

  it('asks for metrics of the catalogue only', () => {
    const served = new Set<string>([
      'up',
      ...metricJobs.flatMap((job) =>
        Object.values(catalogue[job]).flatMap(({ name, type }) =>
          type === 'histogram' ? [`${name}_bucket`, `${name}_sum`, `${name}_count`] : [name],
        ),
      ),
      ...Object.values(libraryMetrics).map(({ name }) => name),
    ]);
    const named = expressions.flatMap(
      (expression) => expression.match(/\b(?:skein|process|nodejs)_\w+|\bup\b/g) ?? [],
    );
    expect(named.length).toBeGreaterThanOrEqual(expressions.length);
    for (const name of named) expect(served, name).toContain(name);
  });

  it('groups and filters by labels that the metrics have', () => {
    const target = ['job', 'instance', 'host', 'le'];
    for (const expression of expressions) {
      for (const [, name, inner] of expression.matchAll(/(skein_\w+)\{([^}]*)\}/g)) {
        const definition = metricJobs
          .flatMap((job) => Object.values(catalogue[job]))
          .find(
            (metric) =>
              (name ?? '').replace(/_(bucket|sum|count)$/, '') === metric.name || name === metric.name,
          );
        const labels = [...target, ...Object.keys(definition?.labels ?? {})];
        for (const [, label] of (inner ?? '').matchAll(/(\w+)\s*=/g))
          expect(labels, expression).toContain(label);
      }
    }
  });

  it('asks the datasource that is provisioned, and says what each panel is', () => {
    for (const { title, targets } of panels) {
      expect(title).not.toBe('');
      expect(targets?.length).toBeGreaterThan(0);
      for (const target of targets ?? []) expect(target.datasource.uid).toBe(datasource.uid);
    }
  });

  it('has no two panels in one place and none beyond the grid', () => {
    expect(new Set(dashboard.panels.map(({ id }) => id)).size).toBe(dashboard.panels.length);
    const taken = new Set<string>();
    for (const { gridPos, title } of dashboard.panels) {
      expect(gridPos.x + gridPos.w, title).toBeLessThanOrEqual(24);
      for (let x = gridPos.x; x < gridPos.x + gridPos.w; x++) {
        for (let y = gridPos.y; y < gridPos.y + gridPos.h; y++) {
          expect(taken.has(`${x}/${y}`), title).toBe(false);
          taken.add(`${x}/${y}`);
        }
      }
    }
  });
});
