/**
 * The times that failure detection and fencing rest on, in one place. Values and their reasons: design/safety.md,
 * "Two leases"; they are defaults of a cluster's configuration, not constants of nature.
 */
import { z } from 'zod';

export const Timing = z
  .strictObject({
    /** Host lease: an agent's heartbeat to the coordinator. */
    heartbeatPeriodMs: z.int().min(10).default(250),
    hostLeaseTtlMs: z.int().min(100).default(1500),
    /** The coordinator stops granting when the echo of its last acknowledgement is older (rule 3). */
    echoAgeMsMax: z.int().min(50).default(750),
    /** VM lease, kept by the storage service. */
    vmLeaseRenewMs: z.int().min(10).default(500),
    vmLeaseTtlMs: z.int().min(100).default(1500),
    /** More than the stop quantum (50 ms) and the scheduling error together (rule 2). */
    marginMs: z.int().min(0).default(200),
    /** How much faster one host's clock may run than another's (rho). */
    driftRatio: z.number().min(0).max(0.1).default(0.01),
    /** How often agents give each other a sign of life, on each network where they talk straight to each other. */
    peerAlivePeriodMs: z.int().min(10).default(500),
    /**
     * A peer that was not heard for longer is silent. With the period before it, and the telling, less than the 2.5 s
     * in which a pair must be marked; more than a queue of 1 Mbit/s adds (1.1 s with the 128 KiB of `skein link`).
     */
    peerSilenceMsMax: z.int().min(50).default(1900),
    /** Peers have so long to find each other: at the start, and after one of them was away. */
    peerMeetMs: z.int().min(50).default(5000),
    /** Two hosts that lost each other must hear each other for so long; doubled for each loss of late. */
    pairQuietMs: z.int().min(50).default(2000),
    /** After the whole cluster was down: how long the first host to come back waits for the others. */
    gatherMs: z.int().min(0).default(10_000),
  })
  .refine((timing) => timing.heartbeatPeriodMs * 2 < timing.hostLeaseTtlMs, {
    path: ['heartbeatPeriodMs'],
    message: 'two heartbeats must fit into hostLeaseTtlMs',
  })
  .refine((timing) => timing.vmLeaseRenewMs * 2 < timing.vmLeaseTtlMs, {
    path: ['vmLeaseRenewMs'],
    message: 'two renewals must fit into vmLeaseTtlMs',
  })
  .refine((timing) => timing.peerAlivePeriodMs * 3 < timing.peerSilenceMsMax, {
    path: ['peerAlivePeriodMs'],
    message: 'three signs of life must fit into peerSilenceMsMax',
  })
  .refine((timing) => timing.echoAgeMsMax < timing.peerSilenceMsMax, {
    path: ['peerSilenceMsMax'],
    message: 'must be longer than echoAgeMsMax: a host that stops is suspect before its peers miss it',
  });
export type Timing = z.infer<typeof Timing>;

export const timingDefaults: Timing = Timing.parse({});

/**
 * How long a restarted keeper of leases must treat every lease as held, for its monotonic clock did not survive:
 * TTL(1 + 2 rho) + margin (rule 6).
 */
export function recoveryMs(ttlMs: number, timing: Pick<Timing, 'driftRatio' | 'marginMs'>): number {
  return ttlMs * (1 + 2 * timing.driftRatio) + timing.marginMs;
}

/**
 * Until when a lease granted for `ttlMs` may be used by the holder who sent its request at `sentNs`, on the holder's
 * own monotonic clock: counted from the send, never from the receipt, less drift and margin (rules 1 and 2).
 */
export function grantDeadlineNs(
  sentNs: bigint,
  ttlMs: number,
  timing: Pick<Timing, 'driftRatio' | 'marginMs'>,
): bigint {
  const usableMs = ttlMs * (1 - timing.driftRatio) - timing.marginMs;
  return sentNs + BigInt(Math.max(0, Math.floor(usableMs * 1e6)));
}
