/** The files that are made from the catalogue, by their paths in the repository. */
import { cataloguePage } from './catalogue-page.ts';
import { dashboardJson } from './dashboard.ts';

export function generatedFiles(): ReadonlyMap<string, string> {
  return new Map([
    ['docs/metrics.md', cataloguePage()],
    ['compose/monitoring/grafana/dashboards/skein.json', dashboardJson()],
  ]);
}
