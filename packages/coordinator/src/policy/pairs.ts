/**
 * Which pairs of hosts have lost each other, and on which network. Each host tells whom it does not hear; a pair is lost
 * as soon as one of the two does not hear the other, for what goes one way only is of no use to anybody, and found again
 * when both have been hearing each other for a while. Rules: SPEC.md, [PAIR-n].
 */
import type { HostName, HostState, NetworkKind, Timing } from '@skein/shared';
import { compareNames } from './placement.ts';

export interface PairHost {
  readonly name: HostName;
  readonly state: HostState;
  /** Since when it has been connected without a gap; null: it is not. */
  readonly connectedSinceMs: number | null;
  /** Networks on which it has an address. */
  readonly networks: readonly NetworkKind[];
}

/** One host does not hear another one on a network. */
export interface SilenceReport {
  readonly by: HostName;
  readonly of: HostName;
  readonly network: NetworkKind;
}

export interface Pair {
  /** In the order of their names. */
  readonly hosts: readonly [HostName, HostName];
  readonly network: NetworkKind;
  /** False: they found each other again, which is remembered for a while. */
  readonly isLost: boolean;
  /** When that began. */
  readonly sinceMs: number;
  /** Who does not hear whom, or did not. */
  readonly reason: string;
  /** While it is lost: since when nobody has said so any more. */
  readonly quietSinceMs: number | null;
  /** How often it was lost of late. */
  readonly losses: number;
}

export type PairTiming = Pick<Timing, 'peerMeetMs' | 'pairQuietMs'>;

/** A pair that was found again counts as a well one, without memory, after so long. */
export const pairMemoryMs = 300_000;
/** The wait of a pair that is lost again and again is doubled so often. */
const doublingsMax = 4;

/** The pairs that are lost or were of late, from those before and from what is told now. */
export function judgePairs(
  before: readonly Pair[],
  hosts: readonly PairHost[],
  reports: readonly SilenceReport[],
  nowMs: number,
  timing: PairTiming,
): Pair[] {
  const byName = new Map(hosts.map((host) => [host.name, host]));
  const known = new Map(before.map((pair) => [keyOf(pair.hosts, pair.network), pair]));
  const told = groupByPair(reports);
  const pairs: Pair[] = [];
  for (const key of new Set([...known.keys(), ...told.keys()])) {
    const silences = told.get(key) ?? [];
    const [first] = silences;
    const pair = known.get(key) ?? (first === undefined ? null : unmarked(first, nowMs));
    if (pair === null) continue;
    const next = judgePair(pair, byName, silences, nowMs, timing);
    if (next !== null) pairs.push(next);
  }
  return pairs.sort(inOrder);
}

/** Those that were lost, or found again, from one judgement to the next. */
export function changedPairs(before: readonly Pair[], after: readonly Pair[]): Pair[] {
  const wasLost = new Set(
    before.filter(({ isLost }) => isLost).map((pair) => keyOf(pair.hosts, pair.network)),
  );
  return after.filter((pair) => pair.isLost !== wasLost.has(keyOf(pair.hosts, pair.network)));
}

/** Why two hosts cannot reach each other on a network, or null. */
export function lossBetween(
  pairs: readonly Pair[],
  a: HostName,
  b: HostName,
  network: NetworkKind,
): Pair | null {
  return (
    pairs.find(
      (pair) => pair.isLost && pair.network === network && pair.hosts.includes(a) && pair.hosts.includes(b),
    ) ?? null
  );
}

/** How long a pair that was lost so often must be quiet until it counts as found again. */
export function quietNeededMs(losses: number, { pairQuietMs }: PairTiming): number {
  return pairQuietMs * 2 ** Math.min(Math.max(0, losses - 1), doublingsMax);
}

/** Null: there is nothing to remember. */
function judgePair(
  pair: Pair,
  hosts: ReadonlyMap<HostName, PairHost>,
  silences: readonly SilenceReport[],
  nowMs: number,
  timing: PairTiming,
): Pair | null {
  const both = pair.hosts.map((name) => hosts.get(name));
  // Of a host that has failed, is gone, or is not on that network itself, there is nothing to say but just that.
  if (!both.every((host) => host !== undefined && isOn(host, pair.network))) return null;
  const isJudgeable = both.every((host) => host !== undefined && isSettled(host, nowMs, timing));
  if (!isJudgeable) return pair.isLost ? { ...pair, quietSinceMs: null } : remembered(pair, nowMs);
  if (silences.length > 0) return lost(pair, silences, nowMs);
  return pair.isLost ? quiet(pair, nowMs, timing) : remembered(pair, nowMs);
}

function isOn({ state, networks }: PairHost, network: NetworkKind): boolean {
  return state !== 'failed' && networks.includes(network);
}

/** One that was away is given the time to meet the others before it is held against it that it does not. */
function isSettled({ state, connectedSinceMs }: PairHost, nowMs: number, timing: PairTiming): boolean {
  return state === 'connected' && connectedSinceMs !== null && nowMs - connectedSinceMs >= timing.peerMeetMs;
}

function lost(pair: Pair, silences: readonly SilenceReport[], nowMs: number): Pair {
  const reason = describe(silences);
  if (pair.isLost) return { ...pair, reason, quietSinceMs: null };
  return { ...pair, isLost: true, sinceMs: nowMs, reason, quietSinceMs: null, losses: pair.losses + 1 };
}

function quiet(pair: Pair, nowMs: number, timing: PairTiming): Pair {
  const quietSinceMs = pair.quietSinceMs ?? nowMs;
  if (nowMs - quietSinceMs < quietNeededMs(pair.losses, timing)) return { ...pair, quietSinceMs };
  return { ...pair, isLost: false, sinceMs: nowMs, quietSinceMs: null };
}

function remembered(pair: Pair, nowMs: number): Pair | null {
  return pair.losses > 0 && nowMs - pair.sinceMs < pairMemoryMs ? pair : null;
}

function describe(silences: readonly SilenceReport[]): string {
  const sayers = [...new Set(silences.map(({ by }) => by))];
  const [first] = silences;
  if (sayers.length > 1 || first === undefined) return 'neither hears the other';
  return `${first.by} does not hear ${first.of}`;
}

function unmarked({ by, of, network }: SilenceReport, nowMs: number): Pair {
  const nothing = { reason: '', quietSinceMs: null, losses: 0 };
  return { hosts: sorted(by, of), network, isLost: false, sinceMs: nowMs, ...nothing };
}

function groupByPair(reports: readonly SilenceReport[]): Map<string, SilenceReport[]> {
  const groups = new Map<string, SilenceReport[]>();
  for (const report of reports) {
    if (report.by === report.of) continue;
    const key = keyOf(sorted(report.by, report.of), report.network);
    groups.set(key, [...(groups.get(key) ?? []), report]);
  }
  return groups;
}

function sorted(a: HostName, b: HostName): readonly [HostName, HostName] {
  return a < b ? [a, b] : [b, a];
}

function keyOf([a, b]: readonly [HostName, HostName], network: NetworkKind): string {
  return `${a}/${b}/${network}`;
}

function inOrder(a: Pair, b: Pair): number {
  return (
    compareNames(a.hosts[0], b.hosts[0]) ||
    compareNames(a.hosts[1], b.hosts[1]) ||
    compareNames(a.network, b.network)
  );
}
