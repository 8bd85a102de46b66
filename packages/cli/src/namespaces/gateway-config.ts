/** Configuration of the gateway of a cluster in namespaces: one JSON file. */
import { IpV4Address, TcpPort } from '@skein/shared';
import { z } from 'zod';

export const GatewayConfig = z.strictObject({
  /** Whom it connects to: the coordinator, on the management network. */
  address: IpV4Address,
  /** As many listening sockets come over its channel, with these numbers. */
  ports: z.array(TcpPort).min(1).max(16),
});
export type GatewayConfig = z.infer<typeof GatewayConfig>;

/** What comes with each listening socket. */
export const HandedSocket = z.strictObject({ port: TcpPort });
export type HandedSocket = z.infer<typeof HandedSocket>;
