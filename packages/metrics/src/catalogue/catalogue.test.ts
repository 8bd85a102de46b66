import { describe, expect, it } from 'vitest';
import { MetricRegistry } from '../metric-registry.ts';
import { catalogue, metricJobs } from './catalogue.ts';
import { libraryMetrics } from './library.ts';

const all = metricJobs.flatMap((job) => Object.values(catalogue[job]));

describe('the metric catalogue', () => {
  it('names a thing once', () => {
    expect(new Set(all.map(({ name }) => name)).size).toBe(all.length);
  });

  // Prometheus documentation, "Metric and label naming".
  it.each(all.map((metric) => [metric.name, metric] as const))('has %s in the usual form', (name, metric) => {
    expect(name).toMatch(/^skein_[a-z][a-z_]*[a-z]$/);
    expect(name.endsWith('_total')).toBe(metric.type === 'counter');
    const bare = name.replace(/_total$/, '');
    if (metric.unit !== null) expect(bare).toMatch(new RegExp(`_${metric.unit}$`));
    else expect(bare).not.toMatch(/_(seconds|milliseconds|ms|bytes|hertz|mhz|mib|ratio)$/);
    expect(metric.help).toMatch(/^[A-Z].*\.$/);
    for (const label of Object.keys(metric.labels)) expect(label).toMatch(/^[a-z]+$/);
    expect(metric.buckets !== undefined).toBe(metric.type === 'histogram');
    expect(metric.buckets ?? []).toEqual([...(metric.buckets ?? [])].sort((a, b) => a - b));
  });

  it('has of the library only what the library has', async () => {
    const text = await new MetricRegistry(catalogue.storage).text();
    for (const { name, type } of Object.values(libraryMetrics))
      expect(text).toContain(`# TYPE ${name} ${type}\n`);
  });
});
