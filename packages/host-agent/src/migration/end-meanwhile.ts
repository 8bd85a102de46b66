/**
 * A thread that stood still for a while hears one thing after the other of what came meanwhile: `ready` first, and that
 * its peer has died since only in later turns of the event loop. A lease that passes to a host that is gone is lost with
 * the guest, so these turns are taken before it passes.
 */
import type { migrationProtocol, Problem } from '@skein/shared';
import type { Link } from '@skein/transport';

/** The first may be over before anything is read; then the last bytes of a connection are, and then its end. */
const turns = 3;

/** Why the target is not there any more; null: as far as this host can know it is. */
export async function endMeanwhile(
  link: Link<typeof migrationProtocol, 'listener'>,
): Promise<Problem | null> {
  for (let turn = 0; turn < turns; turn++) await new Promise<void>((resolve) => setImmediate(resolve));
  if (link.isOpen) return null;
  const message = 'the link to the target on the migration network ended';
  return { code: 'link.closed', message, details: {} };
}
