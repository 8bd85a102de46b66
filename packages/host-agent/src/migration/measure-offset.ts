/** The offset of the source's clock from the target's, over the migration's own link. */
import type { migrationProtocol } from '@skein/shared';
import type { Link } from '@skein/transport';
import { type ClockOffset, estimateOffset, exchangesMin } from '../core/clock-offset.ts';

const requestDeadlineMs = 3000;

/** @throws OperationError link.closed, link.timeout */
export async function measureOffset(link: Link<typeof migrationProtocol, 'dialer'>): Promise<ClockOffset> {
  const exchanges = [];
  for (let index = 0; index < exchangesMin; index++) {
    const sentNs = process.hrtime.bigint();
    const { nowNs } = await link.request('migration.clock', {}, { deadlineMs: requestDeadlineMs });
    exchanges.push({ sentNs, receivedNs: process.hrtime.bigint(), peerNs: nowNs });
  }
  return estimateOffset(exchanges);
}
