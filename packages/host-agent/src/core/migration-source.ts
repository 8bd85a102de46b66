/**
 * The source's side of a live migration as a pure state machine: (state, event) -> (state, effects in the order
 * in which they must happen). It holds no page and no socket. Steps as in design/safety.md, "Commit point of a
 * migration": until the lease has passed the source may abort and resume; afterwards only the target can run.
 */
import { invariant, unreachable } from '@skein/shared';

export type SourcePhase =
  | 'connecting'
  | 'pre-copy'
  | 'suspending'
  /** Final state sent, the target verifies. */
  | 'verifying'
  /** The pass is on its way to the storage service. */
  | 'passing'
  /** The pass got no answer: the lease is asked, never guessed. */
  | 'resolving'
  | 'committed'
  | 'closed'
  | 'aborted';

export interface SourceState {
  readonly phase: SourcePhase;
  /** False once the migration socket closed. */
  readonly linkUp: boolean;
  readonly reason: string | null;
}

export type SourceEvent =
  | { readonly type: 'target-connected' }
  | { readonly type: 'round-ended'; readonly next: 'another-round' | 'stop-and-copy' }
  | { readonly type: 'suspended' }
  | { readonly type: 'target-ready' }
  | { readonly type: 'target-refused'; readonly reason: string }
  | { readonly type: 'pass-granted' }
  | { readonly type: 'pass-refused'; readonly reason: string }
  | { readonly type: 'pass-unanswered' }
  /** Outcome of taking the lease back by compare-and-set: decisive, for a pass still in flight is then stale. */
  | { readonly type: 'lease-reasserted' }
  | { readonly type: 'lease-is-targets' }
  /** Settling found that a third host has it. */
  | { readonly type: 'lease-is-anothers'; readonly reason: string }
  /** A renewal of the migration's epoch was refused. While the pass is out that is no news: its outcome decides. */
  | { readonly type: 'lease-lost'; readonly reason: string }
  | { readonly type: 'memory-rehashed' }
  | { readonly type: 'link-lost'; readonly reason: string }
  | { readonly type: 'cancelled'; readonly reason: string };

export type SourceEffect =
  | 'send-round'
  | 'suspend-vm'
  | 'send-final'
  | 'pass-lease'
  | 'reassert-lease'
  | 'forward-grant'
  | 'resume-vm'
  /** If the link is up: the target need not wait. */
  | 'tell-target'
  | 'stop-vm'
  | 'rehash-memory'
  | 'free-vm'
  | 'report';

export interface SourceStep {
  readonly state: SourceState;
  readonly effects: readonly SourceEffect[];
}

export const sourceStart: SourceState = { phase: 'connecting', linkUp: true, reason: null };

export function stepSource(state: SourceState, event: SourceEvent): SourceStep {
  switch (event.type) {
    case 'link-lost':
      return linkLost(state, event.reason);
    case 'cancelled':
      return cancelled(state, event.reason);
    case 'lease-lost':
      return isBeforePass(state) ? stopHere(state, event.reason) : stay(state);
    case 'lease-is-anothers':
      expect(state, ['resolving'], event);
      return stopHere(state, event.reason);
    case 'target-connected':
      expect(state, ['connecting'], event);
      return to(state, 'pre-copy', ['send-round']);
    case 'round-ended':
      return roundEnded(state, event);
    case 'suspended':
      if (isOver(state)) return stay(state);
      expect(state, ['suspending'], event);
      return to(state, 'verifying', ['send-final']);
    case 'target-ready':
      if (isOver(state)) return stay(state);
      expect(state, ['verifying'], event);
      return to(state, 'passing', ['pass-lease']);
    case 'target-refused':
      return isBeforePass(state) ? abort(state, event.reason) : stay(state);
    case 'pass-granted':
      if (state.phase === 'aborted') return stay(state);
      expect(state, ['passing'], event);
      return commit(state);
    case 'pass-refused':
      if (state.phase === 'aborted') return stay(state);
      expect(state, ['passing'], event);
      return abort(state, event.reason);
    case 'pass-unanswered':
      if (state.phase === 'aborted') return stay(state);
      expect(state, ['passing'], event);
      return to(state, 'resolving', ['reassert-lease']);
    case 'lease-reasserted':
      expect(state, ['resolving'], event);
      return abort({ ...state, phase: 'passing' }, 'the storage service did not answer the pass; taken back');
    case 'lease-is-targets':
      expect(state, ['resolving'], event);
      return commit(state);
    case 'memory-rehashed':
      expect(state, ['committed'], event);
      return to(state, 'closed', ['free-vm', 'report']);
    default:
      return unreachable(event, 'migration source event');
  }
}

function roundEnded(state: SourceState, event: Extract<SourceEvent, { type: 'round-ended' }>): SourceStep {
  if (isOver(state)) return stay(state);
  expect(state, ['pre-copy'], event);
  return event.next === 'another-round'
    ? to(state, 'pre-copy', ['send-round'])
    : to(state, 'suspending', ['suspend-vm']);
}

function linkLost(state: SourceState, reason: string): SourceStep {
  const down: SourceState = { ...state, linkUp: false };
  // The pass cannot be called back: its outcome decides. After the commit the target needs no source.
  if (isBeforePass(state)) return abort(down, reason);
  return stay(down);
}

function cancelled(state: SourceState, reason: string): SourceStep {
  return isBeforePass(state) ? abort(state, reason) : stay(state);
}

/** The guest must not go on here: the lease is another's. */
function stopHere(state: SourceState, reason: string): SourceStep {
  return { state: { ...state, phase: 'aborted', reason }, effects: ['stop-vm', 'tell-target', 'report'] };
}

function commit(state: SourceState): SourceStep {
  const effects: SourceEffect[] = state.linkUp ? ['forward-grant', 'rehash-memory'] : ['rehash-memory'];
  return to(state, 'committed', effects);
}

/** The guest goes on here. `resume-vm` is harmless if it was never suspended. */
function abort(state: SourceState, reason: string): SourceStep {
  invariant(state.phase !== 'committed' && state.phase !== 'closed', 'nothing aborts after the commit');
  return { state: { ...state, phase: 'aborted', reason }, effects: ['resume-vm', 'tell-target', 'report'] };
}

export function isBeforePass(state: SourceState): boolean {
  return (
    state.phase === 'connecting' ||
    state.phase === 'pre-copy' ||
    state.phase === 'suspending' ||
    state.phase === 'verifying'
  );
}

export function isOver(state: SourceState): boolean {
  return state.phase === 'aborted' || state.phase === 'closed';
}

function to(state: SourceState, phase: SourcePhase, effects: readonly SourceEffect[]): SourceStep {
  return { state: { ...state, phase }, effects };
}

function stay(state: SourceState): SourceStep {
  return { state, effects: [] };
}

function expect(state: SourceState, phases: readonly SourcePhase[], event: SourceEvent): void {
  invariant(
    phases.includes(state.phase),
    `${event.type} comes in phase ${phases.join(' or ')}, not ${state.phase}`,
  );
}
