/** PromQL made of catalogue entries, so that a query names no metric that nobody serves. */
import type { MetricDefinition } from '../definition.ts';

/** Grafana's: long enough for a rate at any zoom. */
const window = '$__rate_interval';

/** The metric itself, with conditions such as `state="failed"`. */
export function series({ name }: MetricDefinition, ...conditions: readonly string[]): string {
  return conditions.length === 0 ? name : `${name}{${conditions.join(', ')}}`;
}

/** Per second. */
export function rate(metric: MetricDefinition, ...conditions: readonly string[]): string {
  return `rate(${series(metric, ...conditions)}[${window}])`;
}

export function sum(by: readonly string[], expression: string): string {
  return by.length === 0 ? `sum(${expression})` : `sum by (${by.join(', ')}) (${expression})`;
}

/** Of a histogram, over the time that the dashboard shows one point for. */
export function quantile(
  share: number,
  metric: MetricDefinition,
  by: readonly string[] = [],
  ...conditions: readonly string[]
): string {
  const buckets = suffixed(metric, 'bucket', conditions);
  return `histogram_quantile(${share}, ${sum(['le', ...by], `rate(${buckets}[${window}])`)})`;
}

/** Mean of a histogram's values. */
export function mean(metric: MetricDefinition, by: readonly string[] = []): string {
  const part = (suffix: string): string => sum(by, `rate(${suffixed(metric, suffix, [])}[${window}])`);
  return `${part('sum')} / ${part('count')}`;
}

/** How many values a histogram got, over the range that the dashboard shows. */
export function countInRange(metric: MetricDefinition, by: readonly string[]): string {
  return sum(by, `increase(${suffixed(metric, 'count', [])}[$__range])`);
}

function suffixed({ name }: MetricDefinition, suffix: string, conditions: readonly string[]): string {
  return `${name}_${suffix}${conditions.length === 0 ? '' : `{${conditions.join(', ')}}`}`;
}
