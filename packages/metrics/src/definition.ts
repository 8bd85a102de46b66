/** What a metric is before any program counts: one row of the catalogue. */

/** Base units, as Prometheus wants them in a metric's name ("Metric and label naming", Prometheus documentation). */
export type MetricUnit = 'seconds' | 'bytes' | 'hertz';

export interface MetricDefinition {
  /** `skein_<thing>[_<unit>][_total]`. */
  readonly name: `skein_${string}`;
  readonly type: 'counter' | 'gauge' | 'histogram';
  /** One sentence: what it is, and what it leaves out. */
  readonly help: string;
  /** Null for what is counted in pieces. */
  readonly unit: MetricUnit | null;
  /** Its labels, each with what it holds. What bounds their values stands there too, if it is not plain. */
  readonly labels: Readonly<Record<string, string>>;
  /** A histogram's upper bounds, in its unit. */
  readonly buckets?: readonly number[];
}

/** The metrics of one program, by the names that code calls them. */
export type MetricCatalogue = Readonly<Record<string, MetricDefinition>>;

export type MetricKey<C extends MetricCatalogue, T extends MetricDefinition['type']> = {
  [K in keyof C]: C[K]['type'] extends T ? K : never;
}[keyof C] &
  string;

export type LabelsOf<D extends MetricDefinition> = Readonly<Record<keyof D['labels'], string>>;
