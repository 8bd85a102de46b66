/** What people's programs say to the coordinator beside the REST API: consoles. The client dials. */
import { z } from 'zod';
import { Bytes, bytesUpTo } from '../bytes.ts';
import { HostName, Name } from '../ids.ts';
import { consoleInputBytesMax } from './agent-coordinator.ts';
import type { ProtocolDefinition } from './definition.ts';

export const clientProtocol = {
  name: 'client',
  roles: { dialer: ['client'], listener: ['coordinator'] },
  fromDialer: {
    requests: {
      /** Attaches this link to a VM's console; it stays attached across a migration or a restart. */
      'console.attach': {
        request: z.strictObject({ vm: Name }),
        reply: z.strictObject({ host: HostName.nullable(), backlog: Bytes }),
      },
    },
    notices: {
      'console.input': z.strictObject({
        bytes: bytesUpTo(consoleInputBytesMax),
      }),
    },
  },
  fromListener: {
    requests: {},
    notices: {
      'console.output': z.strictObject({ bytes: Bytes }),
      /** Something happened to the VM that its console does not show: it moved, restarted, stopped. */
      'console.marker': z.strictObject({ text: z.string().max(500) }),
    },
  },
} as const satisfies ProtocolDefinition;
