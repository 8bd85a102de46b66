/** The target's connection to the source of its migration, from its own address on the migration network. */
import { machineStateBytesMax, migrationProtocol, OperationError } from '@skein/shared';
import { dial, type Handlers, type Link } from '@skein/transport';
import type { TargetAssignment } from './transfer-channel.ts';

/** What goes around the state in its message. */
const messageBytes = 2 << 20;

/** Pages are read into `bulkBuffer`. @throws OperationError link.refused, link.timeout, link.unauthenticated */
export function dialSource(
  { command, host, bootId, migrationAddress, authentication }: TargetAssignment,
  bulkBuffer: Uint8Array,
  handlers: Handlers<typeof migrationProtocol, 'dialer'>,
): Promise<Link<typeof migrationProtocol, 'dialer'>> {
  return dial({
    host: command.sourceAddress,
    port: command.sourcePort,
    localAddress: migrationAddress,
    protocol: migrationProtocol,
    own: { role: 'transfer', name: host, bootId },
    authentication,
    bulkBuffer,
    maxPayloadBytes: machineStateBytesMax + messageBytes,
    admit: (peer) => {
      if (peer.name === command.sourceHost) return;
      throw new OperationError({
        code: 'link.unauthenticated',
        message: `${peer.name} is not the source of this migration`,
      });
    },
    handlers,
  });
}
