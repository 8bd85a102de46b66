/**
 * The target's side of a live migration as a pure state machine, counterpart of migration-source.ts. Until it
 * said `ready` it may go away at any time. From then on the lease decides: it runs if, and only if, the lease
 * names it; while the lease cannot be read it stays frozen (design/safety.md, Commit point of a migration). To run is to have an effect:
 * steps that are taken meanwhile and withheld are none (vm/head-start.ts).
 */
import { invariant, unreachable } from '@skein/shared';

export type TargetPhase =
  | 'connecting'
  | 'receiving'
  /** Verified and said so; the lease is still the source's. */
  | 'ready'
  /** The source fell silent after `ready`: the lease is read until it tells. */
  | 'resolving'
  | 'committed'
  | 'closed'
  | 'aborted';

export interface TargetState {
  readonly phase: TargetPhase;
  readonly reason: string | null;
}

/** What the storage service says about the VM's lease, seen from the target. */
export type LeaseReading =
  | 'mine'
  /** Still the source's at the epoch of the migration, and alive: the pass may yet come. */
  | 'undecided'
  /** Expired, gone, or at a later epoch that is not ours. */
  | 'not-mine';

export type TargetEvent =
  | { readonly type: 'connected' }
  | { readonly type: 'final-verified' }
  | { readonly type: 'final-mismatched'; readonly reason: string }
  | { readonly type: 'granted' }
  | { readonly type: 'lease-read'; readonly reading: LeaseReading }
  | { readonly type: 'vm-resumed' }
  /** The source says so: it goes on itself and no pass of its is on its way. */
  | { readonly type: 'source-aborted'; readonly reason: string }
  /** The lease stayed the source's for much longer than a pass can take: the source resumed. */
  | { readonly type: 'undecided-too-long' }
  | { readonly type: 'link-lost'; readonly reason: string }
  | { readonly type: 'cancelled'; readonly reason: string };

export type TargetEffect =
  | 'say-ready'
  | 'say-refused'
  | 'read-lease'
  | 'read-lease-later'
  | 'resume-vm'
  | 'announce'
  | 'free-vm'
  | 'report';

export interface TargetStep {
  readonly state: TargetState;
  readonly effects: readonly TargetEffect[];
}

export const targetStart: TargetState = { phase: 'connecting', reason: null };

export function stepTarget(state: TargetState, event: TargetEvent): TargetStep {
  switch (event.type) {
    case 'connected':
      if (state.phase === 'aborted') return stay(state);
      expect(state, ['connecting'], event);
      return to(state, 'receiving', []);
    case 'final-verified':
      if (state.phase === 'aborted') return stay(state);
      expect(state, ['receiving'], event);
      return to(state, 'ready', ['say-ready']);
    case 'final-mismatched':
      if (state.phase === 'aborted') return stay(state);
      expect(state, ['receiving'], event);
      return {
        state: { phase: 'aborted', reason: event.reason },
        effects: ['say-refused', 'free-vm', 'report'],
      };
    case 'granted':
      if (state.phase === 'committed' || state.phase === 'closed') return stay(state);
      expect(state, ['ready', 'resolving'], event);
      return commit();
    case 'lease-read':
      return leaseRead(state, event.reading);
    case 'vm-resumed':
      expect(state, ['committed'], event);
      return { state: { phase: 'closed', reason: null }, effects: ['report'] };
    case 'source-aborted':
      return sourceAborted(state, event.reason);
    case 'undecided-too-long':
      return state.phase === 'resolving' ? abort(state.reason ?? 'the source went on') : stay(state);
    case 'link-lost':
      return linkLost(state, event.reason);
    case 'cancelled':
      return isBeforeReady(state) ? abort(event.reason) : stay(state);
    default:
      return unreachable(event, 'migration target event');
  }
}

function linkLost(state: TargetState, reason: string): TargetStep {
  if (isBeforeReady(state)) return abort(reason);
  if (state.phase === 'ready') return { state: { phase: 'resolving', reason }, effects: ['read-lease'] };
  return stay(state);
}

/** The source says so only when the lease cannot become ours any more: no pass of its is on its way. */
function sourceAborted(state: TargetState, reason: string): TargetStep {
  return isBeforeReady(state) || state.phase === 'ready' || state.phase === 'resolving'
    ? abort(reason)
    : stay(state);
}

function leaseRead(state: TargetState, reading: LeaseReading): TargetStep {
  if (state.phase !== 'resolving') return stay(state);
  if (reading === 'mine') return commit();
  if (reading === 'undecided') return { state, effects: ['read-lease-later'] };
  return abort(state.reason ?? 'the lease was not passed');
}

function commit(): TargetStep {
  return { state: { phase: 'committed', reason: null }, effects: ['resume-vm', 'announce'] };
}

function abort(reason: string): TargetStep {
  return { state: { phase: 'aborted', reason }, effects: ['free-vm', 'report'] };
}

function isBeforeReady(state: TargetState): boolean {
  return state.phase === 'connecting' || state.phase === 'receiving';
}

function to(state: TargetState, phase: TargetPhase, effects: readonly TargetEffect[]): TargetStep {
  return { state: { ...state, phase }, effects };
}

function stay(state: TargetState): TargetStep {
  return { state, effects: [] };
}

function expect(state: TargetState, phases: readonly TargetPhase[], event: TargetEvent): void {
  invariant(
    phases.includes(state.phase),
    `${event.type} comes in phase ${phases.join(' or ')}, not ${state.phase}`,
  );
}
