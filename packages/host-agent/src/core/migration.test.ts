/**
 * Exhaustive search over source, target, storage service and network of one migration: every order of events,
 * with a crash of either host, a cut link and an unanswered pass possible at every point. The two machines under
 * test are the real ones; the world around them is a handful of lines.
 */
import { describe, expect, it } from 'vitest';
import {
  type SourceEffect,
  type SourceEvent,
  type SourceState,
  sourceStart,
  stepSource,
} from './migration-source.ts';
import {
  stepTarget,
  type TargetEffect,
  type TargetEvent,
  type TargetState,
  targetStart,
} from './migration-target.ts';

type Guest = 'running' | 'suspended' | 'gone';
type Pass = 'none' | 'in-flight' | 'in-flight-unheard' | 'answered';

interface World {
  readonly source: SourceState;
  readonly target: TargetState;
  readonly sourceGuest: Guest;
  readonly targetGuest: 'absent' | 'ready' | 'running' | 'gone';
  readonly elsewhere: boolean;
  readonly lease: {
    readonly owner: 'source' | 'target' | 'other';
    readonly epoch: number;
    readonly expired: boolean;
  };
  readonly sourceAlive: boolean;
  readonly targetAlive: boolean;
  readonly linkUp: boolean;
  readonly pass: Pass;
  /** What is on its way or due, each name at most once. */
  readonly due: readonly string[];
  readonly rounds: number;
}

const start: World = {
  source: sourceStart,
  target: targetStart,
  sourceGuest: 'running',
  targetGuest: 'absent',
  elsewhere: false,
  lease: { owner: 'source', epoch: 1, expired: false },
  sourceAlive: true,
  targetAlive: true,
  linkUp: true,
  pass: 'none',
  due: ['connect'],
  rounds: 0,
};

interface Options {
  readonly faults: boolean;
  readonly hash: 'equal' | 'different';
}

function withDue(world: World, ...names: string[]): World {
  return { ...world, due: [...new Set([...world.due, ...names])].sort() };
}

function without(world: World, name: string): World {
  return { ...world, due: world.due.filter((other) => other !== name) };
}

function feedSource(world: World, event: SourceEvent): World {
  if (!world.sourceAlive) return world;
  const { state, effects } = stepSource(world.source, event);
  return effects.reduce(sourceEffect, { ...world, source: state });
}

function sourceEffect(world: World, effect: SourceEffect): World {
  switch (effect) {
    case 'send-round':
      return withDue({ ...world, rounds: world.rounds + 1 }, 'round-ended');
    case 'suspend-vm':
      return withDue(world, 'suspended');
    case 'send-final':
      return world.linkUp ? withDue(world, 'final') : world;
    case 'pass-lease':
      return { ...world, pass: 'in-flight' };
    case 'reassert-lease':
      return withDue(world, 'reassert');
    case 'forward-grant':
      return world.linkUp ? withDue(world, 'grant') : world;
    case 'resume-vm':
      return { ...world, sourceGuest: 'running' };
    case 'tell-target':
      return world.linkUp ? withDue(world, 'abort-notice') : world;
    case 'stop-vm':
    case 'free-vm':
      return { ...world, sourceGuest: 'gone' };
    case 'rehash-memory':
      return withDue(world, 'rehashed');
    case 'report':
      return world;
  }
}

function feedTarget(world: World, event: TargetEvent): World {
  if (!world.targetAlive) return world;
  const { state, effects } = stepTarget(world.target, event);
  return effects.reduce(targetEffect, { ...world, target: state });
}

function targetEffect(world: World, effect: TargetEffect): World {
  switch (effect) {
    case 'say-ready':
      return world.linkUp
        ? withDue({ ...world, targetGuest: 'ready' }, 'ready')
        : { ...world, targetGuest: 'ready' };
    case 'say-refused':
      return world.linkUp ? withDue(world, 'refused') : world;
    case 'read-lease':
    case 'read-lease-later':
      return withDue(world, 'read-lease');
    case 'resume-vm':
      return withDue({ ...world, targetGuest: 'running' }, 'vm-resumed');
    case 'free-vm':
      return { ...world, targetGuest: 'gone' };
    case 'announce':
    case 'report':
      return world;
  }
}

/** The storage service works on the pass: compare-and-set on (source, 1), refused once expired or changed. */
function applyPass(world: World): { world: World; granted: boolean } {
  const valid = world.lease.owner === 'source' && world.lease.epoch === 1 && !world.lease.expired;
  if (!valid) return { world, granted: false };
  return { world: { ...world, lease: { owner: 'target', epoch: 2, expired: false } }, granted: true };
}

function successors(world: World, options: Options): World[] {
  const next: World[] = [];
  for (const name of world.due) next.push(...happen(without(world, name), name, options));
  if (world.pass === 'in-flight') {
    const { world: after, granted } = applyPass(world);
    const answered: World = { ...after, pass: 'answered' };
    next.push(
      feedSource(answered, granted ? { type: 'pass-granted' } : { type: 'pass-refused', reason: 'stale' }),
    );
    if (options.faults) {
      // Applied but the answer is lost; or still somewhere on the way while the source gives up waiting.
      next.push(feedSource(answered, { type: 'pass-unanswered' }));
      next.push(feedSource({ ...world, pass: 'in-flight-unheard' }, { type: 'pass-unanswered' }));
    }
  }
  if (world.pass === 'in-flight-unheard') next.push({ ...applyPass(world).world, pass: 'answered' });
  if (options.faults) next.push(...faults(world));
  return next;
}

function happen(world: World, name: string, options: Options): World[] {
  switch (name) {
    case 'connect':
      return world.linkUp && world.targetAlive
        ? [feedTarget(feedSource(world, { type: 'target-connected' }), { type: 'connected' })]
        : [world];
    case 'round-ended': {
      const stop = feedSource(world, { type: 'round-ended', next: 'stop-and-copy' });
      if (world.rounds >= 2) return [stop];
      return [stop, feedSource(world, { type: 'round-ended', next: 'another-round' })];
    }
    case 'suspended': {
      const isOver = world.source.phase === 'aborted' || !world.sourceAlive;
      return [feedSource(isOver ? world : { ...world, sourceGuest: 'suspended' }, { type: 'suspended' })];
    }
    case 'final':
      return [
        feedTarget(
          world,
          options.hash === 'equal'
            ? { type: 'final-verified' }
            : { type: 'final-mismatched', reason: 'hash' },
        ),
      ];
    case 'ready':
      return [feedSource(world, { type: 'target-ready' })];
    case 'refused':
      return [feedSource(world, { type: 'target-refused', reason: 'hash' })];
    case 'grant':
      return [feedTarget(world, { type: 'granted' })];
    case 'abort-notice':
      return [feedTarget(world, { type: 'source-aborted', reason: 'told' })];
    case 'vm-resumed':
      return [feedTarget(world, { type: 'vm-resumed' })];
    case 'rehashed':
      return [feedSource(world, { type: 'memory-rehashed' })];
    case 'reassert':
      return [reassert(world)];
    case 'read-lease':
      return [feedTarget(world, { type: 'lease-read', reading: readLease(world) })];
    default:
      throw new Error(name);
  }
}

function reassert(world: World): World {
  if (!world.sourceAlive) return world;
  if (world.lease.owner === 'target') return feedSource(world, { type: 'lease-is-targets' });
  if (world.lease.owner === 'other')
    return feedSource(world, { type: 'lease-is-anothers', reason: 'taken over' });
  const taken: World = { ...world, lease: { owner: 'source', epoch: 2, expired: false } };
  return feedSource(taken, { type: 'lease-reasserted' });
}

function readLease(world: World): 'mine' | 'undecided' | 'not-mine' {
  if (world.lease.owner === 'target') return 'mine';
  return world.lease.owner === 'source' && world.lease.epoch === 1 && !world.lease.expired
    ? 'undecided'
    : 'not-mine';
}

function faults(world: World): World[] {
  const next: World[] = [];
  const cut = (from: World): World => ({
    ...from,
    linkUp: false,
    due: from.due.filter(
      (name) => !['connect', 'final', 'ready', 'refused', 'grant', 'abort-notice'].includes(name),
    ),
  });
  const lost = { type: 'link-lost', reason: 'cut' } as const;
  if (world.linkUp) next.push(feedTarget(feedSource(cut(world), lost), lost));
  if (world.sourceAlive) {
    const dead: World = {
      ...cut(world),
      sourceAlive: false,
      sourceGuest: 'gone',
      pass: world.pass === 'in-flight' ? 'in-flight-unheard' : world.pass,
      due: cut(world).due.filter((name) => ['read-lease', 'vm-resumed'].includes(name)),
    };
    next.push(world.linkUp ? feedTarget(dead, lost) : dead);
  }
  if (world.targetAlive) {
    const dead: World = {
      ...cut(world),
      targetAlive: false,
      targetGuest: 'gone',
      due: cut(world).due.filter((name) => !['read-lease', 'vm-resumed'].includes(name)),
    };
    next.push(world.linkUp ? feedSource(dead, lost) : dead);
  }
  // The lease worker renews epoch 1 by itself, and is refused as soon as a pass or a reassertion went through.
  if (world.sourceAlive && (world.lease.owner !== 'source' || world.lease.epoch !== 1)) {
    next.push(feedSource(world, { type: 'lease-lost', reason: 'a renewal was refused' }));
  }
  const ownerIsDead =
    (world.lease.owner === 'source' && !world.sourceAlive) ||
    (world.lease.owner === 'target' && !world.targetAlive);
  if (ownerIsDead && !world.lease.expired) next.push({ ...world, lease: { ...world.lease, expired: true } });
  // The target waits ten times longer than a pass can take; so none is on its way, nor can one be made.
  const noPassToCome = !world.pass.startsWith('in-flight') && world.source.phase !== 'passing';
  if (
    world.target.phase === 'resolving' &&
    world.targetAlive &&
    noPassToCome &&
    world.source.phase !== 'resolving'
  ) {
    if (readLease(world) === 'undecided')
      next.push(feedTarget(without(world, 'read-lease'), { type: 'undecided-too-long' }));
  }
  if (world.lease.expired && !world.elsewhere) {
    next.push({
      ...world,
      elsewhere: true,
      lease: { owner: 'other', epoch: world.lease.epoch + 1, expired: false },
    });
  }
  return next;
}

interface Exploration {
  readonly visited: number;
  readonly ends: readonly World[];
}

/** Walks every reachable world; `check` sees each once. Ends are worlds in which nothing is due any more. */
function explore(options: Options, check: (world: World) => void): Exploration {
  const seen = new Set<string>([JSON.stringify(start)]);
  const open: World[] = [start];
  const ends: World[] = [];
  for (let world = open.pop(); world !== undefined; world = open.pop()) {
    check(world);
    if (world.due.length === 0 && !world.pass.startsWith('in-flight')) ends.push(world);
    for (const next of successors(world, options)) {
      const key = JSON.stringify(next);
      if (seen.has(key)) continue;
      seen.add(key);
      open.push(next);
    }
  }
  return { visited: seen.size, ends };
}

function running(world: World): number {
  return (
    (world.sourceGuest === 'running' ? 1 : 0) +
    (world.targetGuest === 'running' ? 1 : 0) +
    (world.elsewhere ? 1 : 0)
  );
}

describe('the two sides of a migration', () => {
  it('never run the guest twice, whatever crashes, is cut or stays unanswered', () => {
    const { visited } = explore({ faults: true, hash: 'equal' }, (world) => {
      // An expired lease's owner is dead in this world; a paused one is the output guard's business.
      expect(running(world), JSON.stringify(world)).toBeLessThanOrEqual(1);
    });
    expect(visited).toBeGreaterThan(500);
  });

  it('run only where the lease is', () => {
    explore({ faults: true, hash: 'equal' }, (world) => {
      if (world.targetGuest === 'running') expect(world.lease.owner, JSON.stringify(world)).toBe('target');
      if (world.sourceGuest === 'running' && world.source.phase === 'aborted') {
        expect(world.lease.owner, JSON.stringify(world)).toBe('source');
      }
    });
  });

  it('end with exactly one running guest while both hosts live, once the lease could be read', () => {
    const { ends } = explore({ faults: true, hash: 'equal' }, () => {});
    for (const world of ends.filter((end) => end.sourceAlive && end.targetAlive)) {
      expect(running(world), JSON.stringify(world)).toBe(1);
      expect(['closed', 'aborted'], JSON.stringify(world)).toContain(
        world.target.phase === 'connecting' ? 'aborted' : world.target.phase,
      );
    }
    expect(ends.length).toBeGreaterThan(5);
  });

  it('move the guest when nothing fails', () => {
    const { ends } = explore({ faults: false, hash: 'equal' }, () => {});
    for (const world of ends) {
      expect(world.targetGuest).toBe('running');
      expect(world.sourceGuest).toBe('gone');
      expect(world.source.phase).toBe('closed');
      expect(world.target.phase).toBe('closed');
    }
    expect(ends.length).toBeGreaterThan(0);
  });

  it('leave the guest at the source when the target applied something else than was sent', () => {
    explore({ faults: true, hash: 'different' }, (world) => {
      expect(world.targetGuest).not.toBe('running');
      expect(world.lease.owner).not.toBe('target');
    });
    const { ends } = explore({ faults: false, hash: 'different' }, () => {});
    for (const world of ends) expect(world.sourceGuest).toBe('running');
  });
});
