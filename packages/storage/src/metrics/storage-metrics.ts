/** The storage service's metrics: what was decided and how long the disk took, and the leases as they are. */
import { MetricRegistry, storageMetrics } from '@skein/metrics';
import type { LeaseService, LeaseServiceOptions } from '../lease/service.ts';

/** Links come from these, and from nobody else. */
const roles = ['agent', 'transfer', 'coordinator'];

export class StorageMetrics {
  readonly registry = new MetricRegistry(storageMetrics);

  constructor() {
    for (const type of ['acquire', 'renew', 'pass', 'release', 'fence'])
      this.registry.expect('requests', { type, outcome: 'granted' });
  }

  /** What the service tells as it happens. */
  readonly hooks: Pick<LeaseServiceOptions, 'onDecided' | 'onSynced'> = {
    onDecided: (type, outcome) => this.registry.count('requests', { type, outcome }),
    onSynced: (durationMs) => this.registry.observe('sync', {}, durationMs / 1000),
  };

  /** What is read at each scrape. */
  read(service: LeaseService): void {
    this.registry.onScrape((set) => {
      for (const [state, leases] of Object.entries(service.counts())) set('leases', { state }, leases);
      for (const role of roles) {
        set('links', { role }, service.linkRoles.filter((other) => other === role).length);
      }
    });
  }
}
