export { catalogue, type MetricJob, metricJobs } from './catalogue/catalogue.ts';
export { coordinatorMetrics } from './catalogue/coordinator.ts';
export { hostMetrics } from './catalogue/host.ts';
export { libraryMetrics } from './catalogue/library.ts';
export { storageMetrics } from './catalogue/storage.ts';
export type { MetricCatalogue, MetricDefinition } from './definition.ts';
export { MetricRegistry, type SetMetric } from './metric-registry.ts';
export { MetricsEndpoint, metricsPath } from './metrics-endpoint.ts';
