/**
 * Where each host's metrics are read, as Prometheus' HTTP service discovery wants to be told: hosts that are scaled
 * come and go there. A failed host stays: that it cannot be read is what shall be seen.
 */
import { z } from 'zod';
import type { World } from '../world.ts';

export const ScrapeTargets = z.array(
  z.strictObject({
    targets: z.array(z.string()),
    /** `instance` is the host's name, for its address may change. */
    labels: z.strictObject({ instance: z.string(), host: z.string() }),
  }),
);
export type ScrapeTargets = z.infer<typeof ScrapeTargets>;

export function scrapeTargets(world: World): ScrapeTargets {
  return world.hostList.flatMap(({ identity: { name, addresses, metricsPort } }) => {
    const address = addresses.management;
    if (address === undefined || metricsPort === null) return [];
    return [{ targets: [`${address}:${metricsPort}`], labels: { instance: name, host: name } }];
  });
}
