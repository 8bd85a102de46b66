/**
 * The Grafana dashboard, made from the rows of panels.ts. Source: Grafana documentation, "JSON model" (the classic one,
 * which provisioning from files takes).
 */
import { hostMetrics } from '../catalogue/host.ts';
import { type Panel, rows } from './panels.ts';

/** As compose/monitoring/grafana/provisioning/datasources names it. */
export const datasource = { type: 'prometheus', uid: 'skein-prometheus' } as const;

const schemaVersion = 39; // Grafana 11; later ones migrate it as they read it.
const gridColumns = 24;
const panelColumns = 8;
const panelRows = 7;
const lines = { custom: { lineWidth: 1, fillOpacity: 10 } };

export function dashboardJson(): string {
  return `${JSON.stringify(dashboard(), null, 2)}\n`;
}

function dashboard(): unknown {
  const panels: unknown[] = [];
  let id = 0;
  let top = 0;
  for (const row of rows) {
    id += 1;
    panels.push({
      id,
      type: 'row',
      title: row.title,
      collapsed: false,
      panels: [],
      gridPos: { x: 0, y: top, w: gridColumns, h: 1 },
    });
    top += 1;
    for (const [index, panel] of row.panels.entries()) {
      id += 1;
      const x = (index * panelColumns) % gridColumns;
      const y = top + Math.floor((index * panelColumns) / gridColumns) * panelRows;
      panels.push({ id, ...panelOf(panel), gridPos: { x, y, w: panelColumns, h: panelRows } });
    }
    top += Math.ceil((row.panels.length * panelColumns) / gridColumns) * panelRows;
  }
  return {
    uid: 'skein',
    title: 'Skein',
    tags: ['skein'],
    editable: true,
    schemaVersion,
    version: 1,
    refresh: '5s',
    time: { from: 'now-15m', to: 'now' },
    timezone: 'browser',
    templating: {
      list: [
        variable('host', 'Host', `label_values(${hostMetrics.cpuCapacity.name}, host)`),
        variable('vm', 'VM', `label_values(${hostMetrics.vmMemory.name}{host=~"$host"}, name)`),
      ],
    },
    annotations: { list: [] },
    panels,
  };
}

function panelOf({ title, kind, unit, queries, description }: Panel): object {
  const targets = queries.map(({ expression, legend }, index) => ({
    refId: String.fromCharCode(65 + index),
    datasource,
    expr: expression,
    legendFormat: legend,
    ...(kind === 'stat' ? { instant: true } : { range: true }),
  }));
  return {
    type: kind,
    title,
    ...(description === undefined ? {} : { description }),
    datasource,
    targets,
    fieldConfig: { defaults: { unit, min: 0, ...(kind === 'stat' ? {} : lines) }, overrides: [] },
    options:
      kind === 'stat'
        ? { reduceOptions: { calcs: ['lastNotNull'] }, colorMode: 'none', textMode: 'value_and_name' }
        : {
            legend: { displayMode: 'list', placement: 'bottom', showLegend: true },
            tooltip: { mode: 'multi', sort: 'desc' },
          },
  };
}

function variable(name: string, label: string, query: string): object {
  return {
    name,
    label,
    type: 'query',
    datasource,
    definition: query,
    query: { query, refId: name },
    refresh: 2, // when the time range changes
    sort: 1,
    multi: true,
    includeAll: true,
    allValue: '.*',
    current: { text: 'All', value: '$__all' },
  };
}
