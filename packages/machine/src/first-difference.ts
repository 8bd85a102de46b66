/**
 * Where two recorded runs part: the first step after which their machines are not in the same state. Machines that
 * start alike and were given the same inputs are alike; from the first input that only one of them was given their state
 * hashes are compared, at each such input and else at growing distances, and the last distance is halved.
 */
import { encodeLogged, type InputLog, type LoggedInput, lastStepsOf, type Replay } from './input-log.ts';
import { MachineError } from './machine-error.ts';

export interface Difference {
  readonly steps: bigint;
  /** Inputs that were applied at that step and that the other log does not have there. */
  readonly inputs: readonly [a: readonly LoggedInput[], b: readonly LoggedInput[]];
}

export interface RecordedRun {
  readonly log: InputLog;
  readonly replay: Replay;
}

const firstDistance = 4096n;
/** A tenth of a second of a busy machine; what it costs to save both machines is as much. */
const distanceMax = 1n << 25n;

/**
 * Leaves both machines at the difference, or, if there is none, where the shorter log ends.
 * @param a at its log's start, as b
 * @throws MachineError log.diverged if a machine stops where the recorded one did not
 */
export function firstDifference(a: RecordedRun, b: RecordedRun): Difference | null {
  const last = smaller(lastStepsOf(a.log), lastStepsOf(b.log));
  const steps = a.log.startHash === b.log.startHash ? firstDifferingStep(a, b, last) : a.log.startSteps;
  if (steps === null) return null;
  return { steps, inputs: [ownInputs(a.log, b.log, steps), ownInputs(b.log, a.log, steps)] };
}

function firstDifferingStep(a: RecordedRun, b: RecordedRun, last: bigint): bigint | null {
  const both = [a.replay, b.replay] as const;
  const start = a.log.startSteps;
  const suspects = differentInputs(a.log, b.log).filter((steps) => steps <= last);
  const isAtStart = suspects[0] === start;
  let equal = isAtStart ? start : suspects[0] === undefined ? last : suspects[0] - 1n;
  for (const replay of both) replay.runTo(equal);
  if (!isAlike(both)) {
    if (isAtStart) return start;
    throw new MachineError('log.diverged', `the same inputs lead to different states at step ${equal}`);
  }
  for (let distance = firstDistance; equal < last; distance = smaller(distance * 2n, distanceMax)) {
    const restores = both.map((replay) => replay.save());
    // What an input does may be gone again soon: a key that was read is only a key's echo, which is no state.
    while (suspects[0] !== undefined && suspects[0] <= equal) suspects.shift();
    const ahead = smaller(smaller(equal + distance, last), suspects[0] ?? last);
    for (const replay of both) replay.runTo(ahead);
    if (!isAlike(both)) return halve(both, restores, equal, ahead);
    equal = ahead;
  }
  return null;
}

/** @param restores bring both replays back to `equal`, where they are alike; at `differing` they are not */
function halve(
  both: readonly Replay[],
  restores: readonly (() => void)[],
  equal: bigint,
  differing: bigint,
): bigint {
  let [low, high, back] = [equal, differing, restores];
  while (high - low > 1n) {
    const middle = (low + high) / 2n;
    for (const restore of back) restore();
    for (const replay of both) replay.runTo(middle);
    if (isAlike(both)) {
      low = middle;
      back = both.map((replay) => replay.save());
    } else high = middle;
  }
  for (const restore of back) restore();
  for (const replay of both) replay.runTo(high);
  return high;
}

function isAlike(both: readonly Replay[]): boolean {
  const [first, second] = both.map(({ machine }) => machine.stateHash());
  return first === second;
}

/** Steps at which one of the logs has an input that the other does not have there, in ascending order. */
function differentInputs(a: InputLog, b: InputLog): bigint[] {
  const [ofA, ofB] = [keysOf(a), keysOf(b)];
  const steps = [
    ...a.inputs.filter((logged) => !ofB.has(encodeLogged(logged))),
    ...b.inputs.filter((logged) => !ofA.has(encodeLogged(logged))),
  ].map((logged) => logged.steps);
  return [...new Set(steps)].sort((one, other) => (one < other ? -1 : one > other ? 1 : 0));
}

function ownInputs(log: InputLog, other: InputLog, steps: bigint): readonly LoggedInput[] {
  const others = keysOf({ ...other, inputs: other.inputs.filter((logged) => logged.steps === steps) });
  return log.inputs.filter((logged) => logged.steps === steps && !others.has(encodeLogged(logged)));
}

/** An input with its place, as a log has it. */
function keysOf({ inputs }: InputLog): ReadonlySet<string> {
  return new Set(inputs.map(encodeLogged));
}

function smaller(one: bigint, other: bigint): bigint {
  return one < other ? one : other;
}
