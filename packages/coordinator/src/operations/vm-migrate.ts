/**
 * vm-migrate: intent, queue, source, target, outcome. The coordinator only introduces the two to each other; the commit
 * is the source's passing of the lease (safety: Commit point of a migration). What neither side tells is read
 * from the lease, never guessed.
 */
import {
  type ErrorCode,
  errorKinds,
  IpV4Address,
  invariant,
  type LeaseView,
  type MigrationRecord,
  OperationError,
  type Problem,
  toProblem,
} from '@skein/shared';
import { waitForTurn } from './migration-turn.ts';
import {
  isFailed,
  isOutcomeUnknown,
  isReachable,
  liveCopy,
  type OperationProgram,
  type StepContext,
  type StepResult,
} from './operation.ts';

const commandDeadlineMs = 10_000;
const cancelDeadlineMs = 3000;
/** A host whose link is down is waited for so long: after a restart of ours all of them are. */
const comeBackMs = 10_000;
/** After its deadline a migration has this long to tell its outcome itself. */
const outcomeGraceMs = 10_000;
/** After the commit the source re-hashes its frozen memory: that record is worth this wait. */
const fullRecordWaitMs = 10_000;
/** One side says that it ended, the other one nothing: then the lease is asked. */
const otherSideWaitMs = 2000;

export const vmMigrate: OperationProgram = {
  kind: 'vm-migrate',
  first: 'queue',
  steps: {
    queue: waitForTurn,
    source: tellSource,
    target: tellTarget,
    'watch-migration': watch,
    'watch-record': watchRecord,
    cancel,
    'release-target': releaseTarget,
    resolve,
  },
};

async function tellSource(context: StepContext): Promise<StepResult> {
  const { env, vm, record } = context;
  const { from, to, epoch, settings } = plan(context);
  if (record.ended.source !== null) return { kind: 'next', step: 'watch-migration' };
  if (record.cancelProblem !== null) return { kind: 'next', step: 'cancel' };
  if (mayComeBack(context, from)) return { kind: 'wait', reason: `${from} cannot be reached at present` };
  const body = { operation: record.id, vm: vm.spec.id, epoch, targetHost: to, settings };
  try {
    const source = await env.command(from, 'migration.source', body, commandDeadlineMs);
    return {
      kind: 'next',
      step: 'target',
      record: { source },
      notes: [{ name: 'source ready', detail: `${from} awaits ${to} on its migration network` }],
    };
  } catch (error) {
    const problem = toProblem(error);
    // Whether it heard us is unknown: it must not begin behind our back.
    if (isOutcomeUnknown(problem)) return callOff(problem);
    return { kind: 'failed', problem };
  }
}

async function tellTarget(context: StepContext): Promise<StepResult> {
  const { env, vm, record } = context;
  const { from, to, epoch, deadlineMs } = plan(context);
  const { source } = record;
  invariant(source !== null, 'the source said where it listens');
  if (record.cancelProblem !== null) return { kind: 'next', step: 'cancel' };
  if (mayComeBack(context, to)) return { kind: 'wait', reason: `${to} cannot be reached at present` };
  const { id, name, machine } = vm.spec;
  const body = {
    operation: record.id,
    vm: id,
    name,
    machine,
    epoch,
    sourceHost: from,
    sourceAddress: IpV4Address.parse(source.address),
    sourcePort: source.port,
    deadlineMs,
  };
  try {
    await env.command(to, 'migration.target', body, commandDeadlineMs);
    return {
      kind: 'next',
      step: 'watch-migration',
      notes: [{ name: 'target ready', detail: `${to} reserved its memory and dials ${from}` }],
    };
  } catch (error) {
    return callOff(toProblem(error));
  }
}

function mayComeBack({ inventory, inStepMs }: StepContext, host: string): boolean {
  return !isReachable(inventory, host) && !isFailed(inventory, host) && inStepMs < comeBackMs;
}

function callOff(problem: Problem): StepResult {
  return {
    kind: 'next',
    step: 'cancel',
    record: { cancelProblem: problem },
    notes: [{ name: 'called off', detail: problem.message }],
  };
}

/** Before the commit it ends the migration, after it nothing; what it came to shows in the records or the lease. */
async function cancel(context: StepContext): Promise<StepResult> {
  const { from, to } = plan(context);
  const [isSourceTold] = await Promise.all([isCancelled(context, from), isCancelled(context, to)]);
  const step = isSourceTold ? 'watch-migration' : 'resolve';
  return { kind: 'next', step, record: { isCalledOff: true } };
}

function watch(context: StepContext): StepResult {
  const { record, inventory, inStepMs } = context;
  const { from, to, epoch, deadlineMs } = plan(context);
  const { source, target } = record.ended;
  const committed = [source, target].find((side) => side?.outcome === 'committed');
  if (committed != null) return commit(to, committed.epochAfter);
  if (source?.outcome === 'aborted') return { kind: 'next', step: 'release-target' };
  const copy = liveCopy(context);
  if (copy !== null && copy.host === to && copy.report.epoch > epoch) return commit(to, copy.report.epoch);
  if (record.cancelProblem !== null && !record.isCalledOff) return { kind: 'next', step: 'cancel' };
  const isOneSided = target !== null || source !== null || record.cancelProblem !== null;
  const isOver = inStepMs > deadlineMs + outcomeGraceMs || (isOneSided && inStepMs > otherSideWaitMs);
  if (isOver || isFailed(inventory, from)) return { kind: 'next', step: 'resolve' };
  return { kind: 'wait', reason: null };
}

/**
 * A target that was ready, and lost its source, waits for the lease until it is told that it will not come; its memory is
 * taken as long. Whoever is not to be reached finds out by itself.
 */
async function releaseTarget(context: StepContext): Promise<StepResult> {
  const { record, inventory, inStepMs } = context;
  const { to } = plan(context);
  const { source } = record.ended;
  invariant(source !== null, 'the source said that it goes on');
  const isToBeTold = inStepMs < otherSideWaitMs && isReachable(inventory, to);
  if (isToBeTold && (await isStillWaiting(context, to, source.reason ?? 'the source goes on')))
    return { kind: 'wait', reason: `${to} has not given its copy up yet` };
  return aborted(source, record.cancelProblem);
}

function isStillWaiting({ env, record }: StepContext, to: string, reason: string): Promise<boolean> {
  const body = { operation: record.id, vm: record.vm, reason: reason.slice(0, 500) };
  return env.command(to, 'migration.source-aborted', body, cancelDeadlineMs).then(
    ({ isUnderWay }) => isUnderWay,
    () => false,
  );
}

/** It runs on the target; the fuller record is waited for a little. */
function watchRecord(context: StepContext): StepResult {
  const { record, inventory, inStepMs } = context;
  const { from } = plan(context);
  const { source, target } = record.ended;
  const records = [source, target].filter((side): side is MigrationRecord => side?.outcome === 'committed');
  const full = records.find(({ stateHashSourceFull }) => stateHashSourceFull !== null);
  const isSourceGone = isFailed(inventory, from);
  const copy = liveCopy(context);
  const lost = records.find(({ reason }) => reason !== null);
  // The source may tell its end before the target tells that all is there: until then it would not migrate again.
  if (copy?.host === record.targetHost && copy.report.missingPages > 0 && lost === undefined)
    return { kind: 'wait', reason: `${copy.report.missingPages} pages are still at ${from}` };
  if (full === undefined && !isSourceGone && inStepMs < fullRecordWaitMs)
    return { kind: 'wait', reason: null };
  const best = full ?? records[0] ?? null;
  if (lost !== undefined) return memoryLost(lost);
  return {
    kind: 'done',
    record: { migration: best },
    notes: [{ name: 'closed', detail: best === null ? 'no side told its record' : 'the record is kept' }],
  };
}

async function resolve(context: StepContext): Promise<StepResult> {
  const { env, vm, record, inventory } = context;
  const { from, to, epoch } = plan(context);
  const { source } = record.ended;
  if (source?.outcome === 'committed') return commit(to, source.epochAfter);
  if (source?.outcome === 'aborted') return { kind: 'next', step: 'release-target' };
  const lease = await env.readLease(vm.spec.id).catch((error: unknown) => toProblem(error));
  if (lease !== null && 'code' in lease)
    return {
      kind: 'wait',
      reason: `the outcome is unknown until the storage service answers: ${lease.message}`,
    };
  if (lease !== null && lease.epoch > epoch) return resolvedByEpoch(lease, to);
  // The old epoch still stands. That is final only when the source can pass it no more.
  const mayPass = lease !== null && lease.remainingMs > 0;
  if (!mayPass) return notPassed(context, `${from} lost the lease before it passed to ${to}`);
  const copy = liveCopy(context);
  const isBack = copy?.host === from && copy.report.epoch === epoch && copy.report.state === 'running';
  if (isBack && (await isCancelled(context, from))) return notPassed(context, givenUp(to, from));
  const state = isReachable(inventory, from) ? 'still at it' : 'not to be reached';
  return { kind: 'wait', reason: `${from} is ${state} and could still pass the lease` };
}

function resolvedByEpoch(lease: LeaseView, to: string): StepResult {
  if (lease.owner === to || lease.owner === null) return commit(to, lease.epoch);
  // The source took it back: a new epoch, the old owner.
  const { owner, epoch } = lease;
  return { ...fail(`${owner} took the lease back at epoch ${epoch}`), desired: { host: owner, epoch } };
}

function commit(to: string, epoch: number): StepResult {
  return {
    kind: 'next',
    step: 'watch-record',
    record: { epoch },
    desired: { host: to, epoch },
    notes: [{ name: 'committed', detail: `the lease passed to ${to}, epoch ${epoch}` }],
  };
}

function aborted(migration: MigrationRecord, cause: Problem | null): StepResult {
  const why = cause?.message ?? migration.reason ?? 'no reason was given';
  const code = cause === null ? migration.code : codeOf(cause);
  return {
    ...fail(`${givenUp(migration.to, migration.from)}: ${why}`, code),
    record: { migration },
  };
}

const givenUp = (to: string, from: string): string =>
  `the migration to ${to} was given up, it runs on at ${from}`;

/** It was committed, and then the guest could not go on: HA's case from here on. */
function memoryLost(migration: MigrationRecord): StepResult {
  const { vm, reason } = migration;
  const message = `${reason ?? vm}; it is started anew`;
  const problem = toProblem(new OperationError({ code: 'migration.memory-lost', message }));
  return { kind: 'failed', problem, record: { migration } };
}

function notPassed({ record }: StepContext, what: string): StepResult {
  const { cancelProblem, ended } = record;
  const why = cancelProblem?.message ?? ended.target?.reason ?? ended.source?.reason ?? null;
  const code = cancelProblem === null ? (ended.target ?? ended.source)?.code : codeOf(cancelProblem);
  return fail(why === null ? what : `${what}: ${why}`, code ?? null);
}

async function isCancelled({ env, record }: StepContext, host: string): Promise<boolean> {
  return env.command(host, 'migration.cancel', { operation: record.id }, cancelDeadlineMs).then(
    () => true,
    () => false,
  );
}

function plan({ record }: StepContext) {
  const { host: from, targetHost: to, expectEpoch: epoch, settings } = record;
  invariant(from !== null && to !== null, 'a migration has a source and a target');
  invariant(settings !== null, 'a migration has its settings');
  return { from, to, epoch, settings, deadlineMs: settings.deadlineMs };
}

/** What a person asked for, and what a host refused, is told apart from what went wrong. */
function codeOf({ code }: Problem): ErrorCode | null {
  const kind = errorKinds[code];
  return code === 'operation.cancelled' || kind === 'refused' || kind === 'not-found' ? code : null;
}

function fail(message: string, code: ErrorCode | null = null) {
  const problem = toProblem(new OperationError({ code: code ?? 'migration.aborted', message }));
  return { kind: 'failed', problem } as const;
}
