/** The queries of the Grafana dashboard, as Prometheus gets them when somebody looks at all hosts and VMs. */
import { readFileSync } from 'node:fs';

interface Dashboard {
  readonly panels: readonly {
    readonly title: string;
    readonly targets?: readonly { readonly expr: string; readonly legendFormat: string }[];
  }[];
}

export interface DashboardQuery {
  readonly panel: string;
  readonly legend: string;
  readonly expression: string;
}

/** `rangeS`: what the dashboard's window is. Source: Grafana documentation, "Global variables". */
export function dashboardQueries(rangeS = 60): readonly DashboardQuery[] {
  const file = new URL('../../compose/monitoring/grafana/dashboards/skein.json', import.meta.url);
  const { panels } = JSON.parse(readFileSync(file, 'utf8')) as Dashboard;
  return panels.flatMap(({ title, targets }) =>
    (targets ?? []).map(({ expr, legendFormat }) => ({
      panel: title,
      legend: legendFormat,
      expression: expr
        .replaceAll('$__rate_interval', `${rangeS}s`)
        .replaceAll('$__range', `${rangeS}s`)
        .replaceAll(/\$(host|vm)\b/g, '.*'),
    })),
  );
}
