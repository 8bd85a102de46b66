/**
 * What the hypervisor knows of a guest goes to the target before the lease passes: afterwards the source may be gone, and
 * nobody else has it. It comes from the agent's main thread, while the target verifies.
 */
import type { GuestHistory, migrationProtocol } from '@skein/shared';
import type { Link } from '@skein/transport';

/** A guest stands still meanwhile: rather it goes without its console's backlog and its readiness. */
const waitMsMax = 500;

/** Resolves when the target has it, or does without. */
export async function tellHistory(
  link: Link<typeof migrationProtocol, 'listener'>,
  coming: Promise<GuestHistory>,
  deadlineMs: number,
): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<null>((resolve) => {
    timer = setTimeout(() => resolve(null), waitMsMax);
  });
  const history = await Promise.race([coming, late]).finally(() => clearTimeout(timer));
  if (history !== null) await link.request('migration.history', history, { deadlineMs }).catch(() => {});
}
