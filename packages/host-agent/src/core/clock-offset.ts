/**
 * Offset between two hosts' monotonic clocks from round trips: the exchange with the smallest round trip has
 * the smallest error, and half of it bounds the error (Cristian 1989; RFC 5905, section "Clock Filter Algorithm").
 */
import { invariant } from '@skein/shared';

export interface ClockExchange {
  /** Our clock when the request was sent and when the reply arrived. */
  readonly sentNs: bigint;
  readonly receivedNs: bigint;
  /** The peer's clock when it answered. */
  readonly peerNs: bigint;
}

export interface ClockOffset {
  /** Our clock minus the peer's. */
  readonly offsetNs: bigint;
  readonly errorNs: bigint;
}

export const exchangesMin = 8;

export function estimateOffset(exchanges: readonly ClockExchange[]): ClockOffset {
  let best: ClockExchange | undefined;
  for (const exchange of exchanges) {
    if (best === undefined || roundTrip(exchange) < roundTrip(best)) best = exchange;
  }
  invariant(best !== undefined, 'an offset is estimated from at least one exchange');
  const middleNs = best.sentNs + roundTrip(best) / 2n;
  return { offsetNs: middleNs - best.peerNs, errorNs: roundTrip(best) / 2n + 1n };
}

function roundTrip(exchange: ClockExchange): bigint {
  return exchange.receivedNs - exchange.sentNs;
}
