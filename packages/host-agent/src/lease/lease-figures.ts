/** What the lease worker counts in shared memory, for whoever wants to know how it fares. */
import { CounterBlock } from '@skein/shared';

export const leaseFigureNames = [
  'renewalsGranted',
  /** The storage service says that the lease is another's, or nobody's. */
  'renewalsRefused',
  /** No link, or no answer in time: it may have been granted. */
  'renewalsUnanswered',
  /** From asking to the grant, of all granted ones together. */
  'renewalWaitUs',
  'heartbeatsGranted',
  /** Answered, without prolonging the host lease. */
  'heartbeatsWithheld',
  'heartbeatsUnanswered',
  /** On this host's monotonic clock; 0 before the first grant. */
  'hostLeaseDeadlineNs',
] as const;

export type LeaseFigures = CounterBlock<(typeof leaseFigureNames)[number]>;

/** `buffer`: of the thread that made them. */
export function leaseFigures(buffer?: SharedArrayBuffer): LeaseFigures {
  return new CounterBlock(leaseFigureNames, buffer);
}
