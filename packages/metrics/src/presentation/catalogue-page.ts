/** docs/metrics.md: the catalogue for people. */
import { catalogue, type MetricJob, metricJobs } from '../catalogue/catalogue.ts';
import { libraryMetrics } from '../catalogue/library.ts';
import type { MetricDefinition } from '../definition.ts';

const headings: Readonly<Record<MetricJob, string>> = {
  coordinator: 'Coordinator',
  host: 'Hosts',
  storage: 'Storage service',
};

const head = `# Metrics

Made from \`packages/metrics/src/catalogue/\` by \`npx --yes pnpm@12 metrics\`; do not edit it. How they are read:
[guide/monitoring.md](guide/monitoring.md).`;

export function cataloguePage(): string {
  const sections = metricJobs.map((job) => `## ${headings[job]}\n\n${table(Object.values(catalogue[job]))}`);
  const library = Object.values(libraryMetrics).map((metric) => ({ ...metric, labels: {} }));
  return `${[head, ...sections, `## Every program\n\n${table(library)}`].join('\n\n')}\n`;
}

type Described = Pick<MetricDefinition, 'type' | 'help' | 'labels' | 'buckets'> & { readonly name: string };

function table(metrics: readonly Described[]): string {
  const lines = metrics.map(
    ({ name, type, help, labels }) => `| \`${name}\` | ${type} | ${help} | ${describe(labels)} |`,
  );
  return ['| metric | type | what it is | labels |', '| --- | --- | --- | --- |', ...lines].join('\n');
}

function describe(labels: MetricDefinition['labels']): string {
  return Object.entries(labels)
    .map(([label, what]) => `\`${label}\`: ${what}`)
    .join('; ');
}
