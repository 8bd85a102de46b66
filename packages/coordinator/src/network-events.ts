/** What happened to hosts' networks, in the words of events: a host's own network, and what two hosts have of each other. */
import type { ClusterEvent, HostName, NetworkChange } from '@skein/shared';
import type { Pair } from './policy/pairs.ts';

export type EventText = Pick<ClusterEvent, 'type' | 'subject' | 'message' | 'details'>;

/** Told later than this: the host could not reach the coordinator when it happened. */
const lateMs = 2000;

export function networkChangeEvent(name: HostName, change: NetworkChange, wallMs: number): EventText {
  const { network, from, to, agoMs } = change;
  const what =
    to === null
      ? `${name} lost the ${network} network: its link is down or it was disconnected`
      : `${name} is on the ${network} network at ${to}`;
  const when =
    agoMs > lateMs ? `; that was ${(agoMs / 1000).toFixed(1)} s ago, and could not be told before` : '';
  return {
    type: to === null ? 'host.link-down' : 'host.link-up',
    subject: `host/${name}`,
    message: `${what}${when}`,
    details: { network, from, to, happenedAtMs: Math.round(wallMs - agoMs) },
  };
}

export function pairEvent({ hosts, network, isLost, reason }: Pair): EventText {
  const [host, peer] = hosts;
  return {
    type: isLost ? 'host.pair-lost' : 'host.pair-restored',
    subject: `host/${host}`,
    message: isLost
      ? `${host} and ${peer} have lost each other on the ${network} network: ${reason}`
      : `${host} and ${peer} hear each other on the ${network} network again`,
    details: { network, host, peer, ...(isLost ? { reason } : {}) },
  };
}
