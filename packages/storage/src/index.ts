export { type HeldLease, LeaseClient, type LeaseClientOptions } from './lease/client.ts';
export { LeaseService, type LeaseServiceOptions } from './lease/service.ts';
