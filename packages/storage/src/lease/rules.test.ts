import type { VmId } from '@skein/shared';
import { describe, expect, it } from 'vitest';
import { decideLease, type Holder, type Lease, type LeaseRequest, type Present } from './rules.ts';

const vm: VmId = 'vm-0123456789abcdef';
const ttlMs = 1500;
const msNs = 1_000_000n;
const h1: Holder = { host: 'h1', boot: '1'.repeat(32) };
const h1Again: Holder = { host: 'h1', boot: '9'.repeat(32) };
const h2: Holder = { host: 'h2', boot: '2'.repeat(32) };

const at = (ms: number, coordinatorEpoch = 0): Present => ({
  nowNs: BigInt(ms) * msNs,
  ttlMs,
  coordinatorEpoch,
});

function granted(lease: Lease | undefined, request: LeaseRequest, present: Present): Lease {
  const decision = decideLease(lease, request, present);
  if (decision.kind === 'refused') throw new Error(`${decision.code}: ${decision.reason}`);
  return decision.lease;
}

function codeOf(lease: Lease | undefined, request: LeaseRequest, present: Present): string {
  const decision = decideLease(lease, request, present);
  return decision.kind === 'refused' ? decision.code : 'granted';
}

const acquire = (by: Holder, expectEpoch: number): LeaseRequest => ({ type: 'acquire', vm, by, expectEpoch });
const renew = (by: Holder, epoch: number): LeaseRequest => ({ type: 'renew', vm, by, epoch });
const release = (by: Holder, epoch: number): LeaseRequest => ({ type: 'release', vm, by, epoch });
const pass = (by: Holder, epoch: number, target: string): LeaseRequest => ({
  type: 'pass',
  vm,
  by,
  epoch,
  target,
});
const fence = (epoch: number, coordinatorEpoch: number): LeaseRequest => ({
  type: 'fence',
  vm,
  epoch,
  coordinatorEpoch,
});

const held = granted(undefined, acquire(h1, 0), at(0));

describe('lease rules', () => {
  it('[LEASE-1] an acquisition gets the epoch behind the one it expects, and is refused if it expects another', () => {
    expect(held).toEqual({ vm, owner: 'h1', boot: h1.boot, epoch: 1, counter: 0, untilNs: 1500n * msNs });
    expect(codeOf(undefined, acquire(h1, 1), at(0))).toBe('lease.stale-epoch');
    expect(codeOf(held, acquire(h2, 0), at(9999))).toBe('lease.stale-epoch');
    expect(codeOf(held, acquire(h2, 2), at(9999))).toBe('lease.stale-epoch');
  });

  it('[LEASE-2] a held lease is not acquired by another until its time is over, to the nanosecond', () => {
    expect(codeOf(held, acquire(h2, 1), { ...at(0), nowNs: 1500n * msNs - 1n })).toBe('lease.held');
    const taken = granted(held, acquire(h2, 1), at(1500));
    expect(taken).toMatchObject({ owner: 'h2', epoch: 2 });
    expect(codeOf(taken, renew(h1, 1), at(1501))).toBe('lease.stale-epoch');
  });

  it('[LEASE-3] the owner acquires its own lease again; its host in another process does not', () => {
    expect(granted(held, acquire(h1, 1), at(10))).toMatchObject({ owner: 'h1', epoch: 2 });
    expect(codeOf(held, acquire(h1Again, 1), at(10))).toBe('lease.held');
    expect(granted(held, acquire(h1Again, 1), at(1500))).toMatchObject({ boot: h1Again.boot, epoch: 2 });
  });

  it('[LEASE-3] a pass that was still on its way when the owner acquired again is refused', () => {
    const again = granted(held, acquire(h1, 1), at(10));
    expect(codeOf(again, pass(h1, 1, 'h2'), at(11))).toBe('lease.stale-epoch');
  });

  it('[LEASE-4] a renewal succeeds before and after the time is over, for the owner at the current epoch alone', () => {
    expect(granted(held, renew(h1, 1), at(500))).toMatchObject({
      epoch: 1,
      counter: 1,
      untilNs: 2000n * msNs,
    });
    expect(granted(held, renew(h1, 1), at(60_000))).toMatchObject({ epoch: 1, untilNs: 61_500n * msNs });
    expect(codeOf(held, renew(h2, 1), at(500))).toBe('lease.not-owner');
    expect(codeOf(held, renew(h1Again, 1), at(60_000))).toBe('lease.not-owner');
    expect(codeOf(held, renew(h1, 2), at(500))).toBe('lease.stale-epoch');
    expect(codeOf(undefined, renew(h1, 1), at(500))).toBe('lease.not-found');
  });

  it('[LEASE-5] a pass gives the lease to the target at the next epoch, whose first renewal names its process', () => {
    const passed = granted(held, pass(h1, 1, 'h2'), at(100));
    expect(passed).toMatchObject({ owner: 'h2', boot: null, epoch: 2, untilNs: 1600n * msNs });
    expect(codeOf(passed, renew(h1, 1), at(101))).toBe('lease.stale-epoch');
    expect(codeOf(passed, acquire(h1, 2), at(101))).toBe('lease.held');
    expect(codeOf(passed, acquire(h2, 2), at(101)), 'which process of h2 is not known yet').toBe(
      'lease.held',
    );
    const first = decideLease(passed, renew(h2, 2), at(101));
    expect(first).toMatchObject({ kind: 'granted', mustPersist: true, lease: { boot: h2.boot } });
    const bound = granted(passed, renew(h2, 2), at(101));
    expect(decideLease(bound, renew(h2, 2), at(102))).toMatchObject({ mustPersist: false });
    expect(codeOf(bound, renew({ host: 'h2', boot: h1.boot }, 2), at(102))).toBe('lease.not-owner');
  });

  it('[LEASE-5] a pass needs time left, the owner, and somebody else', () => {
    expect(codeOf(held, pass(h1, 1, 'h2'), at(1500))).toBe('lease.lost');
    expect(codeOf(held, pass(h2, 1, 'h3'), at(1))).toBe('lease.not-owner');
    expect(codeOf(held, pass(h1, 1, 'h1'), at(1))).toBe('request.invalid');
  });

  it('[LEASE-6] a release frees the lease at once and keeps its epoch', () => {
    const free = granted(held, release(h1, 1), at(10));
    expect(free).toMatchObject({ owner: null, boot: null, epoch: 1 });
    expect(codeOf(free, acquire(h2, 0), at(11))).toBe('lease.stale-epoch');
    expect(granted(free, acquire(h2, 1), at(11))).toMatchObject({ owner: 'h2', epoch: 2 });
    expect(codeOf(free, renew(h1, 1), at(11))).toBe('lease.not-owner');
    expect(codeOf(free, release(h1, 1), at(11))).toBe('lease.not-owner');
  });

  it('[LEASE-8] everything but a plain renewal must be on disk', () => {
    const requests = [acquire(h1, 1), pass(h1, 1, 'h2'), release(h1, 1), fence(1, 0)];
    for (const request of requests) {
      expect(decideLease(held, request, at(1)), request.type).toMatchObject({ mustPersist: true });
    }
    expect(decideLease(held, renew(h1, 1), at(1))).toMatchObject({ mustPersist: false });
  });

  it('[LEASE-13] only the coordinator in office fences; then the lease is free at the next epoch', () => {
    expect(codeOf(held, fence(1, 4), at(10, 5))).toBe('epoch.stale');
    expect(codeOf(held, fence(1, 6), at(10, 5))).toBe('epoch.stale');
    expect(codeOf(held, fence(2, 5), at(10, 5))).toBe('lease.stale-epoch');
    const fenced = granted(held, fence(1, 5), at(10, 5));
    expect(fenced).toMatchObject({ owner: null, epoch: 2 });
    expect(codeOf(fenced, renew(h1, 1), at(11, 5))).toBe('lease.stale-epoch');
    expect(granted(fenced, acquire(h2, 2), at(11, 5))).toMatchObject({ owner: 'h2', epoch: 3 });
  });
});
