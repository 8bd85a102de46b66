/** What the storage service serves about the leases that it keeps. */
import type { MetricCatalogue } from '../definition.ts';

/** A notebook's NVMe takes 0.1 to 5 ms, a disk 20 ms; a lease of 1.5 s dies of seconds. */
const syncBuckets = [0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 1];

export const storageMetrics = {
  leases: {
    name: 'skein_leases',
    type: 'gauge',
    help: 'VM leases that the storage service keeps.',
    unit: null,
    labels: { state: 'held, expired, free' },
  },
  requests: {
    name: 'skein_lease_requests_total',
    type: 'counter',
    help: 'Requests to change a VM lease, as they were decided.',
    unit: null,
    labels: {
      type: 'acquire, renew, pass, release, fence',
      outcome: 'granted, or the code of the refusal: lease.held, lease.stale-epoch, ...',
    },
  },
  sync: {
    name: 'skein_lease_sync_seconds',
    type: 'histogram',
    help: 'Time of an fdatasync of the lease log, which each change of an owner waits for.',
    unit: 'seconds',
    labels: {},
    buckets: syncBuckets,
  },
  links: {
    name: 'skein_storage_links',
    type: 'gauge',
    help: 'Links that are open at the storage service. A host’s spare transfer workers have one now and then without a migration.',
    unit: null,
    labels: { role: 'agent, transfer, coordinator' },
  },
} as const satisfies MetricCatalogue;
