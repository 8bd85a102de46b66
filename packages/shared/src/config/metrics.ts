/** How a program is asked for its metrics. Without this block it serves none. */
import { z } from 'zod';
import { ListenPort } from '../model/network.ts';

export const MetricsConfig = z.strictObject({
  /** Gives the right to read metrics and no other; the coordinator makes it at its first start. */
  tokenFile: z.string().min(1),
  /** On this program's management address. */
  port: ListenPort.default(0),
});
export type MetricsConfig = z.infer<typeof MetricsConfig>;
