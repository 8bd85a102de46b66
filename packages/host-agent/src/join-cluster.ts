/** How this host becomes a member of its cluster: by the credentials in its state directory, else by a join token. */
import { join } from 'node:path';
import type { AgentConfig, HostName } from '@skein/shared';
import { becomeMember, type Membership } from '@skein/transport/certificates';
import type { Logger } from 'pino';

/** @throws OperationError config.invalid, config.unreadable, join.token-invalid, join.refused, link.unauthenticated */
export async function joinCluster(config: AgentConfig, host: HostName, log: Logger): Promise<Membership> {
  if (config.insecure) return { authentication: { kind: 'none' }, close: () => {} };
  const { address, joinPort: port } = config.coordinator;
  const { management: localAddress } = config.addresses;
  return await becomeMember({
    directory: join(config.stateDirectory, 'credentials'),
    subject: { kind: 'agent', name: host },
    coordinator: { address, port, ...(localAddress === undefined ? {} : { localAddress }) },
    ...(config.joinTokenFile === undefined ? {} : { tokenFile: config.joinTokenFile }),
    onEvent: (level, message) => log[level](message),
  });
}
