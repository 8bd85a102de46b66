/** How long a source waits for its target's verdict: the last pages stand in front of the question, on a slow link for a while. */
import type { MigrationRound } from '@skein/shared';

/** To apply, hash and answer, where nothing is on its way. */
const answerMs = 5_000;
/** Whoever is there no more is found out sooner, by the link's own pings. */
const longestMs = 600_000;
/** Others may come to share the link. */
const slackFactor = 2;

/** `rounds`: that were applied in full; the one with the most bytes knows the link best. Without one nothing is said of the link. */
export function finalDeadlineMs(
  onTheWayBytes: number,
  rounds: readonly Pick<MigrationRound, 'bytes' | 'durationMs'>[],
): number {
  const [first] = rounds;
  if (first === undefined) return answerMs;
  const largest = rounds.reduce((most, round) => (round.bytes > most.bytes ? round : most), first);
  if (largest.bytes === 0) return answerMs;
  return Math.min(longestMs, answerMs + slackFactor * (largest.durationMs / largest.bytes) * onTheWayBytes);
}
