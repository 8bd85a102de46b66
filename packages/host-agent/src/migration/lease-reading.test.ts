import { type LeaseView, OperationError } from '@skein/shared';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { TargetEvent } from '../core/migration-target.ts';
import { Deadlines } from './deadlines.ts';
import { LeaseReader } from './lease-reading.ts';
import type { TargetAssignment } from './transfer-channel.ts';

const assignment = {
  host: 'h2',
  command: { vm: 'vm-0000000000000001', epoch: 3, sourceHost: 'h1' },
} as TargetAssignment;
const fed: TargetEvent[] = [];
let isDue: boolean;
let deadlines: Deadlines;
let read: PromiseWithResolvers<LeaseView | null>;
let reader: LeaseReader;

beforeEach(() => {
  vi.useFakeTimers();
  fed.length = 0;
  isDue = true;
  deadlines = new Deadlines();
  reader = new LeaseReader({
    assignment,
    leases: {
      read: () => {
        read = Promise.withResolvers();
        return read.promise;
      },
    },
    deadlines,
    feed: (event) => fed.push(event),
    isDue: () => isDue,
  });
});
afterEach(() => {
  deadlines.clear();
  vi.useRealTimers();
});

const lease = (owner: string, epoch: number): LeaseView => ({
  vm: assignment.command.vm,
  owner,
  epoch,
  counter: 1,
  remainingMs: 900,
});
const unanswered = (): OperationError => new OperationError({ code: 'link.timeout', message: 'no answer' });
const settled = (): Promise<unknown> => vi.advanceTimersByTimeAsync(0);

describe('a target that heard no grant', () => {
  it.each([
    { owner: 'h2', epoch: 4, reading: 'mine' },
    { owner: 'h1', epoch: 3, reading: 'undecided' },
    { owner: 'h3', epoch: 4, reading: 'not-mine' },
  ])('takes a lease of $owner at epoch $epoch for $reading', async ({ owner, epoch, reading }) => {
    reader.begin();
    read.resolve(lease(owner, epoch));
    await settled();
    expect(fed).toEqual([{ type: 'lease-read', reading }]);
  });

  it('concludes nothing from the time in which nobody answers, and from other time it does', async () => {
    reader.begin();
    await vi.advanceTimersByTimeAsync(9_000);
    read.reject(unanswered());
    await vi.advanceTimersByTimeAsync(9_000);
    expect(fed).toEqual([{ type: 'lease-read', reading: 'undecided' }]);
    await vi.advanceTimersByTimeAsync(1_001);
    expect(fed.at(-1)).toEqual({ type: 'undecided-too-long' });
  });

  it('says nothing more, and waits for nothing, when its migration has ended while it asked', async () => {
    reader.begin();
    isDue = false;
    deadlines.clear();
    read.reject(unanswered());
    await settled();
    expect(fed).toEqual([]);
    expect(vi.getTimerCount()).toBe(0);
  });
});
