import { beforeAll, describe, expect, it } from 'vitest';
import { type CoreModules, loadCore } from './core-module.ts';
import { firstDifference } from './first-difference.ts';
import type { MachineInput } from './input.ts';
import { type InputLog, type LoggedInput, Replay } from './input-log.ts';
import { createRestlessGuest } from './test-support/restless-guest.ts';

let core: CoreModules;

beforeAll(async () => {
  core = await loadCore();
});

const end = 300_000n;

function logOf(seed: number, inputs: readonly (readonly [steps: bigint, input: MachineInput])[]): InputLog {
  const machine = createRestlessGuest(core, seed);
  return {
    startHash: machine.stateHash(),
    startSteps: machine.steps,
    startDisks: [],
    inputs: inputs.map(([steps, input]): LoggedInput => ({ steps, sequence: 0, input })),
    end: { steps: end, hash: 0n },
  };
}

function differenceOf(a: InputLog, b: InputLog, seeds: readonly [number, number] = [1, 1]) {
  const [one, other] = seeds.map((seed) => createRestlessGuest(core, seed));
  if (one === undefined || other === undefined) throw new Error('no machines');
  return firstDifference({ log: a, replay: new Replay(one, a) }, { log: b, replay: new Replay(other, b) });
}

const time = (guestTicks: bigint): MachineInput => ({ type: 'time', guestTicks, ratePerStep: 2 ** 28 });
const key = (byte: number): MachineInput => ({ type: 'console', bytes: Uint8Array.of(byte) });

describe('the first difference of two runs', () => {
  it('is none where both were given the same', () => {
    const log = logOf(1, [
      [1000n, time(5000n)],
      [2000n, key(65)],
    ]);
    expect(differenceOf(log, log)).toBeNull();
  });

  it('is the step of an input that only one of them has, with that input', () => {
    const common = [[1000n, time(5000n)]] as const;
    const a = logOf(1, [...common, [70_123n, key(65)]]);
    const b = logOf(1, [...common, [70_123n, key(66)]]);
    expect(differenceOf(a, b)).toEqual({
      steps: 70_123n,
      inputs: [[expect.objectContaining({ input: key(65) })], [expect.objectContaining({ input: key(66) })]],
    });
    expect(differenceOf(a, logOf(1, common))?.steps).toBe(70_123n);
  });

  it('is the earlier one of two steps at which they were told the same', () => {
    const early = logOf(1, [[50_000n, time(9000n)]]);
    const late = logOf(1, [[50_001n, time(9000n)]]);
    expect(differenceOf(early, late)?.steps).toBe(50_000n);
  });

  const nothing: MachineInput = { type: 'console', bytes: new Uint8Array(0) };

  it('is none where the one input more changes nothing', () => {
    expect(differenceOf(logOf(1, [[50_000n, nothing]]), logOf(1, []))).toBeNull();
  });

  it('is found to the step behind inputs that differ and change nothing', () => {
    const a = logOf(1, [
      [10n, nothing],
      [150_000n, key(65)],
    ]);
    const b = logOf(1, [[150_000n, key(66)]]);
    expect(differenceOf(a, b)?.steps).toBe(150_000n);
  });

  it('is the start where the machines were not the same', () => {
    expect(differenceOf(logOf(1, []), logOf(2, []), [1, 2])?.steps).toBe(logOf(1, []).startSteps);
  });

  it('may be an input at the very start', () => {
    const start = logOf(1, []).startSteps;
    expect(differenceOf(logOf(1, [[start, key(65)]]), logOf(1, []))?.steps).toBe(start);
  });
});
