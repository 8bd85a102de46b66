/**
 * What agents say to each other, on a link for each pair and network: that they are there, and, on the guest network, who
 * owns which MAC. The latter is sent by the new owner at the moment of a take-over, so that no switch waits for the
 * coordinator; it is obeyed only with a higher epoch.
 */
import { z } from 'zod';
import { MacOwner } from './agent-coordinator.ts';
import type { ProtocolDefinition } from './definition.ts';

const Owners = z.strictObject({ owners: z.array(MacOwner).max(65_536) });

const bothWays = {
  requests: {},
  notices: {
    'owners.announce': Owners,
    /** Each half second: whoever hears it knows that this network carries from there to here. */
    'peer.alive': z.strictObject({}),
  },
} as const;

export const agentAgentProtocol = {
  name: 'agent-agent',
  roles: { dialer: ['agent'], listener: ['agent'] },
  fromDialer: bothWays,
  fromListener: bothWays,
} as const satisfies ProtocolDefinition;
