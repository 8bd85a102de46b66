/**
 * The metrics of one program, registered from its catalogue. What happens is counted and observed as it happens; what
 * is so at the moment, or is counted elsewhere (shared memory), is read anew at each scrape, and a series that is not
 * read any more is gone. The library writes the text format; process and event loop metrics are its own.
 */
import { invariant } from '@skein/shared';
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';
import type { LabelsOf, MetricCatalogue, MetricDefinition, MetricKey } from './definition.ts';

/** The event loop is looked at this often; its lag is told with this added (Node: monitorEventLoopDelay). */
const eventLoopPeriodMs = 20;

/** Gauges of the library that are called as counters are; they are sums of others. */
const misnamed = [
  'nodejs_active_handles_total',
  'nodejs_active_requests_total',
  'nodejs_active_resources_total',
];

/** Sets a gauge, or a counter that is kept elsewhere, to what it is now. */
export type SetMetric<C extends MetricCatalogue> = <K extends MetricKey<C, 'counter' | 'gauge'>>(
  key: K,
  labels: LabelsOf<C[K]>,
  value: number,
) => void;

type Registered = Counter | Gauge | Histogram;

export class MetricRegistry<C extends MetricCatalogue> {
  readonly #registry = new Registry();
  readonly #metrics = new Map<string, Registered>();
  readonly #samplers: ((set: SetMetric<C>) => void)[] = [];
  /** Keys that were read in an earlier scrape: they begin each scrape empty. */
  readonly #sampled = new Set<string>();
  #rendering: Promise<string> | null = null;

  constructor(metrics: C) {
    for (const [key, definition] of Object.entries(metrics)) {
      this.#metrics.set(key, register(definition, this.#registry));
    }
    collectDefaultMetrics({ register: this.#registry, eventLoopMonitoringPrecision: eventLoopPeriodMs });
    for (const name of misnamed) this.#registry.removeSingleMetric(name);
  }

  get contentType(): string {
    return this.#registry.contentType;
  }

  /** `sample` is called at each scrape. */
  onScrape(sample: (set: SetMetric<C>) => void): void {
    this.#samplers.push(sample);
  }

  count<K extends MetricKey<C, 'counter'>>(key: K, labels: LabelsOf<C[K]>, by = 1): void {
    const metric = this.#metrics.get(key);
    invariant(metric instanceof Counter, `${key} is a counter`);
    metric.inc(labels, by);
  }

  observe<K extends MetricKey<C, 'histogram'>>(key: K, labels: LabelsOf<C[K]>, value: number): void {
    const metric = this.#metrics.get(key);
    invariant(metric instanceof Histogram, `${key} is a histogram`);
    metric.observe(labels, value);
  }

  /** Makes a series that is 0 so far: one that appears at 1 shows Prometheus no increase. */
  expect<K extends MetricKey<C, 'counter' | 'histogram'>>(key: K, labels: LabelsOf<C[K]>): void {
    const metric = this.#metrics.get(key);
    invariant(metric instanceof Counter || metric instanceof Histogram, `${key} is a counter or a histogram`);
    if (metric instanceof Counter) metric.inc(labels, 0);
    else metric.zero(labels);
  }

  /** Ends a series: what it was about is gone. */
  forget<K extends MetricKey<C, 'counter' | 'histogram'>>(key: K, labels: LabelsOf<C[K]>): void {
    this.#metrics.get(key)?.remove({ ...labels });
  }

  /** In Prometheus' text format. Scrapers that come together get one reading. */
  text(): Promise<string> {
    this.#rendering ??= this.#render().finally(() => {
      this.#rendering = null;
    });
    return this.#rendering;
  }

  async #render(): Promise<string> {
    for (const key of this.#sampled) this.#metrics.get(key)?.reset();
    const set: SetMetric<C> = (key, labels, value) => this.#set(key, labels, value);
    for (const sample of this.#samplers) sample(set);
    return this.#registry.metrics();
  }

  #set(key: string, labels: Readonly<Record<string, string>>, value: number): void {
    const metric = this.#metrics.get(key);
    if (!this.#sampled.has(key)) {
      this.#sampled.add(key);
      metric?.reset();
    }
    if (metric instanceof Gauge) metric.set(labels, value);
    else {
      invariant(metric instanceof Counter, `${key} is a gauge or a counter`);
      metric.inc(labels, value);
    }
  }
}

function register(definition: MetricDefinition, registry: Registry): Registered {
  const { name, help, labels, buckets = [] } = definition;
  const common = { name, help, labelNames: Object.keys(labels), registers: [registry] };
  switch (definition.type) {
    case 'counter':
      return new Counter(common);
    case 'gauge':
      return new Gauge(common);
    case 'histogram':
      return new Histogram({ ...common, buckets: [...buckets] });
  }
}
