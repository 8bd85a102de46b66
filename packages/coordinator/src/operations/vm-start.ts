/**
 * vm-start and vm-restart: read the lease until it is over, then power on with the epoch that was read. The
 * compare-and-set on that epoch is what makes a second copy impossible, whatever else goes wrong; an outcome that
 * got lost shows in the lease and in the reports.
 */
import { invariant, OperationError, type Problem, toProblem } from '@skein/shared';
import { explain, place } from '../policy/placement.ts';
import {
  isFailed,
  isOutcomeUnknown,
  isReachable,
  liveCopy,
  type OperationProgram,
  type StepContext,
  type StepResult,
} from './operation.ts';

/** Loading an image from a slow disk included. */
const startDeadlineMs = 30_000;
/** A start that comes to nothing is given up after this time. */
const giveUpMs = 60_000;
/** A guest that says that it is ready does so within this time; others are not waited for any longer. */
const readyWaitMs = 60_000;
/** The report that follows a power-on comes at once. */
const reportWaitMs = 5000;

const steps: OperationProgram['steps'] = {
  lease: readLease,
  place: choose,
  start,
  'watch-start': watchStart,
  'watch-ready': watchReady,
};

export const vmStart: OperationProgram = { kind: 'vm-start', first: 'lease', steps };
export const vmRestart: OperationProgram = { kind: 'vm-restart', first: 'lease', steps };

async function readLease(context: StepContext): Promise<StepResult> {
  const { env, vm, record } = context;
  const copy = liveCopy(context);
  if (copy !== null && copy.report.epoch >= vm.desired.epoch) return found(copy.host, copy.report.epoch);
  if (record.kind === 'vm-start' && context.elapsedMs > giveUpMs) {
    const message = `${vm.spec.name} was not started within ${giveUpMs / 1000} s: ${vm.desired.waitingReason ?? ''}`;
    return refuse(toProblem(new OperationError({ code: 'timeout', message })));
  }
  const lease = await env.readLease(vm.spec.id).catch((error: unknown) => toProblem(error));
  if (lease !== null && 'code' in lease) {
    return { kind: 'wait', reason: `the storage service cannot be asked for its lease: ${lease.message}` };
  }
  if (lease !== null && lease.remainingMs > 0) {
    return { kind: 'wait', reason: `${lease.owner} holds its lease until it runs out` };
  }
  const expectEpoch = lease?.epoch ?? 0;
  const isKnown = record.timeline.some(({ name }) => name === 'lease over');
  const host = context.inventory.hosts.find(({ name }) => name === record.host);
  const isUsable = host?.state === 'connected' && host.isReachable;
  // A suspect comes back or fails within seconds; after a restart of ours all are, until they have registered.
  const mayComeBack = host?.state === 'suspect' || host?.state === 'connected';
  if (!isUsable && record.host !== null && (record.isPinned || mayComeBack))
    return { kind: 'wait', reason: `${record.host} is ${host?.state ?? 'gone'}` };
  return {
    kind: 'next',
    step: isUsable ? 'start' : 'place',
    record: { expectEpoch },
    ...(isKnown
      ? {}
      : { notes: [{ name: 'lease over', detail: `nobody holds it; its epoch is ${expectEpoch}` }] }),
  };
}

function found(host: string, epoch: number): StepResult {
  return {
    kind: 'next',
    step: 'watch-start',
    record: { host, epoch },
    desired: { host, epoch },
    notes: [{ name: 'found', detail: `${host} runs it at epoch ${epoch}` }],
  };
}

/** Chooses again, for the first host refused it or went away. */
function choose({ vm, record, inventory }: StepContext): StepResult {
  const { spec, refusals } = vm;
  const placement = place(inventory, { spec, leaves: null, refusals });
  if (placement.kind === 'rejected') {
    const message = explain(spec.name, placement.reasons);
    if (inventory.hosts.some(({ state }) => state === 'suspect'))
      return { kind: 'wait', step: 'lease', reason: message };
    const problem = toProblem(new OperationError({ code: 'placement.no-host', message }));
    return record.kind === 'vm-start' ? refuse(problem) : { kind: 'failed', problem };
  }
  return {
    kind: 'next',
    step: 'lease',
    record: { host: placement.host },
    desired: { host: placement.host },
    notes: [{ name: 'placed', detail: placement.reason }],
  };
}

async function start(context: StepContext): Promise<StepResult> {
  const { env, vm, record } = context;
  const { host, expectEpoch } = record;
  invariant(host !== null, 'a host was chosen before the start');
  const { id, name, machine } = vm.spec;
  const body = { operation: record.id, vm: id, name, machine, expectEpoch };
  try {
    const { epoch } = await env.command(host, 'vm.start', body, startDeadlineMs);
    return {
      kind: 'next',
      step: 'watch-start',
      record: { epoch },
      desired: { host, epoch },
      notes: [{ name: 'started', detail: `${host} powered it on, epoch ${epoch}` }],
    };
  } catch (error) {
    return notStarted(context, host, toProblem(error));
  }
}

function notStarted({ record }: StepContext, host: string, problem: Problem): StepResult {
  const mayRun = ['lease.held', 'lease.stale-epoch', 'vm.wrong-state'].includes(problem.code);
  if (mayRun || isOutcomeUnknown(problem)) {
    // The lease and the reports tell whether it runs.
    return { kind: 'wait', step: 'lease', reason: problem.message };
  }
  const refusal = { host, reason: problem.message.slice(0, 300) };
  const mayGoElsewhere = problem.code === 'host.out-of-memory' || problem.code === 'host.wrong-state';
  if (record.kind === 'vm-restart' || (mayGoElsewhere && !record.isPinned)) {
    return { kind: 'wait', step: 'place', reason: problem.message, record: { host: null }, refusal };
  }
  return refuse(problem);
}

/** Nothing half-done: what could not be started is off, and nowhere. */
function refuse(problem: Problem): StepResult {
  return { kind: 'failed', problem, power: 'off', desired: { host: null } };
}

function watchStart(context: StepContext): StepResult {
  const { vm, record, inventory } = context;
  const { host, epoch } = record;
  invariant(host !== null && epoch !== null, 'what is watched was started');
  const there = vm.sightings.find((sighting) => sighting.host === host && sighting.report.epoch >= epoch);
  if (there === undefined || !isReachable(inventory, host)) {
    if (isFailed(inventory, host)) return died(`${host} failed before the guest's first step`);
    if (isReachable(inventory, host) && context.inStepMs > reportWaitMs)
      return died(`${host} does not have it any more`);
    return { kind: 'wait', reason: null };
  }
  const { state, reason, firstStepMs, startedFrom } = there.report;
  switch (state) {
    case 'running':
    case 'frozen':
    case 'suspended': {
      const origin = startedFrom === 'template' ? ', cloned from a template' : '';
      const detail = `${Math.round(firstStepMs ?? 0)} ms after power-on on ${host}${origin}`;
      const notes = [{ name: 'first step', detail }];
      return record.kind === 'vm-restart'
        ? { kind: 'next', step: 'watch-ready', notes }
        : { kind: 'done', notes };
    }
    case 'stopping':
    case 'stopped':
    case 'failed':
      // It ran, and its own end is the control loop's business.
      if (reason?.startsWith('the guest: ') === true) return { kind: 'done' };
      return died(`it ended on ${host}: ${reason ?? state}`);
    default:
      return { kind: 'wait', reason: null };
  }
}

function watchReady({ vm, record, inStepMs }: StepContext): StepResult {
  const there = vm.sightings.find(
    ({ host, report }) => host === record.host && report.epoch === record.epoch,
  );
  const readyMs = there?.report.readyMs ?? null;
  if (readyMs !== null) {
    const notes = [{ name: 'ready', detail: `the guest was ready ${Math.round(readyMs)} ms after power-on` }];
    return { kind: 'done', notes };
  }
  const isOver = there === undefined || there.report.state === 'stopped' || there.report.state === 'failed';
  return isOver || inStepMs > readyWaitMs ? { kind: 'done' } : { kind: 'wait', reason: null };
}

/** It was powered on once: the spec stands, and the control loop decides anew. */
function died(message: string): StepResult {
  return { kind: 'failed', problem: toProblem(new OperationError({ code: 'process.died', message })) };
}
