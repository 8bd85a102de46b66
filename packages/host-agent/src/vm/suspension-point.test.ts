import { describe, expect, it } from 'vitest';
import { SuspensionPoint } from './suspension-point.ts';

const ms = 1_000_000n;
const awake = { isAsleep: false, wakesAtNs: null };

function asked({ isAsleep, idleForMs }: { isAsleep: boolean; idleForMs: bigint }): SuspensionPoint {
  const point = new SuspensionPoint();
  point.took(20_000, true, 100n * ms - idleForMs * ms);
  point.ask(100n * ms, isAsleep);
  return point;
}

describe('where a guest is stopped', () => {
  it('is nowhere before it is asked for, and nowhere again once it was reached', () => {
    const point = new SuspensionPoint();
    expect(point.isHere({ nowNs: 100n * ms, isAsleep: true, wakesAtNs: null })).toBe(false);
    expect(point.hasten(100n * ms)).toBe(false);
    point.ask(100n * ms, true);
    point.reached();
    expect(point.isHere({ nowNs: 200n * ms, isAsleep: true, wakesAtNs: null })).toBe(false);
  });

  it('is where it sleeps, if nothing wakes it soon', () => {
    const point = asked({ isAsleep: true, idleForMs: 50n });
    expect(point.isHere({ nowNs: 100n * ms, isAsleep: true, wakesAtNs: null })).toBe(true);
    expect(point.isHere({ nowNs: 100n * ms, isAsleep: true, wakesAtNs: 102n * ms })).toBe(true);
  });

  it('is behind what it is about to wake for', () => {
    const point = asked({ isAsleep: true, idleForMs: 50n });
    expect(point.isHere({ nowNs: 100n * ms, isAsleep: true, wakesAtNs: 101n * ms })).toBe(false);
    point.took(10_000, false, 101n * ms);
    expect(point.isHere({ nowNs: 101n * ms, ...awake })).toBe(false);
    point.took(5000, true, 101n * ms);
    expect(point.isHere({ nowNs: 101n * ms, isAsleep: true, wakesAtNs: 101n * ms + 1n })).toBe(true);
  });

  it('is at the end of our patience, whatever the guest does', () => {
    const point = asked({ isAsleep: false, idleForMs: 1n });
    expect(point.isHere({ nowNs: 101n * ms, ...awake })).toBe(false);
    expect(point.deadlineNs).toBe(101n * ms + 500_000n);
    expect(point.isHere({ nowNs: 101n * ms + 500_000n, ...awake })).toBe(true);
  });

  it('is at once where the guest has not slept for a while: it would go on changing its memory', () => {
    expect(asked({ isAsleep: false, idleForMs: 4n }).isHere({ nowNs: 100n * ms, ...awake })).toBe(true);
  });

  it('is at once where the guest may not go on', () => {
    const point = asked({ isAsleep: false, idleForMs: 1n });
    expect(point.hasten(100n * ms + 1n)).toBe(true);
    expect(point.isHere({ nowNs: 100n * ms + 1n, ...awake })).toBe(true);
  });
});
