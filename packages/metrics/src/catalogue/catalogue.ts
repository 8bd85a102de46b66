/** All metrics that Skein defines, by who serves them. Registrations, documentation and dashboard come from here. */
import type { MetricCatalogue } from '../definition.ts';
import { coordinatorMetrics } from './coordinator.ts';
import { hostMetrics } from './host.ts';
import { storageMetrics } from './storage.ts';

/** Who serves metrics, as Prometheus' label `job` names it. */
export const metricJobs = ['coordinator', 'host', 'storage'] as const;
export type MetricJob = (typeof metricJobs)[number];

export const catalogue: Readonly<Record<MetricJob, MetricCatalogue>> = {
  coordinator: coordinatorMetrics,
  host: hostMetrics,
  storage: storageMetrics,
};
