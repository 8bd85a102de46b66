/**
 * Carries out operations: one step of each at a time, everything a step changed persisted before the next one
 * begins. A step that waits is tried again at each turn of the control loop. Resumed after a restart as they stood.
 */
import {
  type HostName,
  invariant,
  type MigrationProgress,
  type MigrationRecord,
  nothingObserved,
  OperationError,
  type OperationId,
  type OperationKind,
  type OperationView,
  type Problem,
  toProblem,
  type VmId,
} from '@skein/shared';
import { failpoint } from '@skein/transport';
import type { Logger } from 'pino';
import type { Environment } from '../env.ts';
import type { World } from '../world.ts';
import { cancellation } from './cancellation.ts';
import type { Note, StepResult } from './operation.ts';
import { programs } from './programs.ts';
import { ProgressLog } from './progress-log.ts';
import { isEnded, isWaitingForTurn, type OperationRecord, toView } from './record.ts';

export interface NewOperation {
  readonly kind: OperationKind;
  readonly vm: VmId;
  readonly reason: string;
  readonly record?: Partial<OperationRecord>;
  readonly notes?: readonly (Note & { readonly atMs?: number })[];
}

interface Turn {
  isBusy: boolean;
  readonly sinceMs: number;
  stepSinceMs: number;
  /** A step that is to be done again is not done at once. */
  notBeforeMs: number;
}

const retryPauseMs = 100;
const timelineMax = 200;

export class Executor {
  readonly #world: World;
  readonly #env: Environment;
  readonly #log: Logger;
  readonly #turns = new Map<OperationId, Turn>();
  readonly #progress = new ProgressLog();
  /** Called when a guest was powered on: its console begins anew. */
  onPoweredOn: ((vm: VmId, epoch: number) => void) | null = null;
  /** Called once for each operation, when its end is persisted. */
  onEnded: ((record: OperationRecord) => void) | null = null;

  constructor(world: World, env: Environment, log: Logger) {
    this.#world = world;
    this.#env = env;
    this.#log = log;
  }

  /** Within a transaction of the caller's. @throws OperationError vm.busy */
  create({ kind, vm, reason, record: given, notes }: NewOperation): OperationRecord {
    const { store } = this.#world;
    const spec = store.vms.get(vm);
    invariant(spec !== undefined, `${vm} is in the inventory`);
    const busy = store.operations.activeOf(vm);
    if (busy !== undefined) {
      throw new OperationError({
        code: 'vm.busy',
        message: `${spec.name} is busy with ${busy.kind} ${busy.id}: wait for its end`,
        details: { operation: busy.id, kind: busy.kind },
      });
    }
    const atMs = this.#env.wallMs();
    const record: OperationRecord = {
      ...blank,
      id: `op-${this.#env.randomHex(8)}`,
      kind,
      vm,
      vmName: spec.name,
      reason: reason.slice(0, 1000),
      createdAtMs: atMs,
      step: programs[kind].first,
      timeline: (notes ?? []).map((note) => ({
        ...note,
        atMs: note.atMs ?? atMs,
        detail: note.detail.slice(0, 500),
      })),
      ...given,
    };
    store.operations.put(record);
    store.desired.set(vm, { waitingReason: null });
    this.#world.event('operation.started', `vm/${spec.name}`, `${kind} of ${spec.name}: ${reason}`, {
      operation: record.id,
      kind,
      host: record.host,
      targetHost: record.targetHost,
    });
    return record;
  }

  /** One turn for each operation that is not in the middle of a step. */
  turn(): void {
    for (const { id } of this.#world.store.operations.active()) {
      const nowMs = this.#env.nowMs();
      const turn = this.#turns.get(id) ?? {
        isBusy: false,
        sinceMs: nowMs,
        stepSinceMs: nowMs,
        notBeforeMs: 0,
      };
      this.#turns.set(id, turn);
      if (turn.isBusy || nowMs < turn.notBeforeMs) continue;
      turn.isBusy = true;
      this.#advance(id, turn)
        .catch((error: unknown) => {
          // The store refused: what the step did is done again, with one effect.
          this.#log.error({ operation: id, err: error }, 'an operation could not be persisted');
          turn.notBeforeMs = this.#env.nowMs() + retryPauseMs;
        })
        .finally(() => {
          turn.isBusy = false;
        });
    }
  }

  view(record: OperationRecord): OperationView {
    const progress = this.#progress.of(record.id);
    const { waitingReason } = this.#world.store.desired.get(record.vm);
    return { ...toView(record), progress, waiting: isEnded(record) ? null : waitingReason };
  }

  /** A restarted guest that runs already is nobody's business any more but a reader's of the timeline. */
  yieldFor(vm: VmId): void {
    const record = this.#world.store.operations.activeOf(vm);
    if (record?.step === 'watch-ready') this.#apply(record, { kind: 'done' });
  }

  /**
   * Before the commit of a migration; asking again changes nothing. `by` is for the event. Within a transaction of the
   * caller's, or none.
   * @throws OperationError operation.not-found, operation.not-cancellable
   */
  cancel(id: OperationId, by: string): OperationRecord {
    const { store } = this.#world;
    const record = store.operations.get(id);
    if (record === undefined)
      throw new OperationError({ code: 'operation.not-found', message: `there is no operation ${id}` });
    const verdict = cancellation(record, this.#world.copyOf(record.vm));
    if (verdict.kind === 'stands') return record;
    if (verdict.kind === 'refused')
      throw new OperationError({ code: 'operation.not-cancellable', message: verdict.reason });
    const isBegun = verdict.kind === 'is-called-off';
    const message = isBegun ? `cancelled by ${by}` : `cancelled by ${by} before it had begun`;
    const problem = toProblem(new OperationError({ code: 'operation.cancelled', message }));
    this.#world.atomically(() => {
      const { kind, vmName, host, targetHost } = record;
      const details = { operation: id, by, kind, host, targetHost };
      this.#world.event('operation.cancelling', `vm/${vmName}`, `${kind} of ${vmName}: ${message}`, details);
      if (isBegun) this.#noteCancel(record, problem);
      else this.#apply(record, { kind: 'failed', problem });
    });
    return store.operations.get(id) ?? record;
  }

  /** Only the source tells it. */
  progress(teller: HostName, progress: MigrationProgress): void {
    const record = this.#world.store.operations.activeOf(progress.vm);
    if (record?.id === progress.operation && record.host === teller) this.#progress.note(progress);
  }

  /** Persisted before it is acknowledged: the agent repeats it until then. A host speaks for its own side alone. */
  migrationEnded(teller: HostName, side: 'source' | 'target', migration: MigrationRecord): void {
    const { store } = this.#world;
    const record = store.operations.get(migration.operation);
    if (record === undefined || record.kind !== 'vm-migrate') return;
    if (teller !== (side === 'source' ? record.host : record.targetHost)) return;
    this.#world.atomically(() => {
      const ended = { ...record.ended, [side]: migration };
      const isFuller = record.migration?.stateHashSourceFull == null && migration.outcome !== 'unknown';
      const isLate = isEnded(record) && isFuller;
      store.operations.put({ ...record, ended, ...(isLate ? { migration } : {}) });
    });
    this.#world.changes.notify();
  }

  /** Whatever step is at work sees it in the record next. */
  #noteCancel(record: OperationRecord, cancelProblem: Problem): void {
    const note = { name: 'cancel asked', detail: cancelProblem.message, atMs: this.#env.wallMs() };
    const timeline = [...record.timeline, note].slice(-timelineMax);
    this.#world.store.operations.put({
      ...record,
      cancelProblem: { ...cancelProblem, details: {} },
      timeline,
    });
    this.#world.changes.notify();
  }

  async #advance(id: OperationId, turn: Turn): Promise<void> {
    for (;;) {
      const record = this.#world.store.operations.get(id);
      if (record === undefined || isEnded(record)) {
        this.#forget(id);
        return;
      }
      const result = await this.#step(record, turn);
      // Records of a migration may have come in meanwhile.
      const current = this.#world.store.operations.get(id);
      if (current === undefined || isEnded(current)) return;
      const isNewStep = 'step' in result && result.step !== undefined && result.step !== current.step;
      this.#apply(current, result);
      if (isNewStep) turn.stepSinceMs = this.#env.nowMs();
      if (isNewStep && result.kind === 'wait') turn.notBeforeMs = this.#env.nowMs() + retryPauseMs;
      if (result.kind !== 'next') return;
    }
  }

  async #step(record: OperationRecord, turn: Turn): Promise<StepResult> {
    const inventory = this.#world.inventory();
    const vm = inventory.vms.find(({ spec }) => spec.id === record.vm);
    const step = programs[record.kind].steps[record.step];
    try {
      invariant(vm !== undefined, `${record.vm} is in the inventory`);
      invariant(step !== undefined, `${record.kind} has a step ${record.step}`);
      const nowMs = this.#env.nowMs();
      const elapsedMs = nowMs - turn.sinceMs;
      return await step({
        env: this.#env,
        record,
        vm,
        inventory,
        elapsedMs,
        inStepMs: nowMs - turn.stepSinceMs,
      });
    } catch (error) {
      this.#log.error({ operation: record.id, step: record.step, err: error }, 'a step failed');
      return { kind: 'failed', problem: toProblem(error) };
    }
  }

  #apply(record: OperationRecord, result: StepResult): void {
    const { store } = this.#world;
    const atMs = this.#env.wallMs();
    const notes = (result.notes ?? []).map((note) => ({ ...note, atMs, detail: note.detail.slice(0, 500) }));
    const next: OperationRecord = {
      ...record,
      ...result.record,
      // The first reason to call it off stands: a person's may have come while the step was at work.
      cancelProblem: record.cancelProblem ?? result.record?.cancelProblem ?? null,
      state: 'running',
      timeline: [...record.timeline, ...notes].slice(-timelineMax),
      ...endOf(result, atMs),
    };
    if ((result.kind === 'next' || result.kind === 'wait') && result.step !== undefined)
      next.step = result.step;
    if (!isEnded(next) && isWaitingForTurn(next)) next.state = 'pending';
    const waitingReason = result.kind === 'wait' ? result.reason : null;
    if (!hasChanged(record, next, result) && store.desired.get(record.vm).waitingReason === waitingReason)
      return;
    const isMigrationsEnd = isEnded(next) && next.kind === 'vm-migrate';
    if (isMigrationsEnd) failpoint('migration.close.before');
    this.#world.atomically(() => {
      store.operations.put(next);
      this.#decide(record, result, waitingReason);
      if (isEnded(next)) this.#tellEnd(next);
    });
    if (isMigrationsEnd) failpoint('migration.close.after');
    if (result.refusal !== undefined) this.#world.refused(record.vm, result.refusal);
    if (next.state === 'failed') this.#world.startFailed(next);
    if (record.step === 'start' && result.record?.epoch != null)
      this.onPoweredOn?.(record.vm, result.record.epoch);
    if (isEnded(next)) {
      this.#forget(next.id);
      this.onEnded?.(next);
    }
    this.#world.changes.notify();
  }

  #decide(record: OperationRecord, result: StepResult, waitingReason: string | null): void {
    const { store } = this.#world;
    const spec = store.vms.get(record.vm);
    invariant(spec !== undefined, 'a VM outlives its operation');
    if (result.deletesVm === true) {
      store.deletedVms.add(spec.id, spec.name);
      store.vms.delete(spec.id);
      store.desired.forget(spec.id);
      return;
    }
    if (result.power !== undefined) store.vms.put({ ...spec, power: result.power });
    this.#world.decide(record.vm, { ...result.desired, waitingReason });
  }

  #tellEnd(record: OperationRecord): void {
    const { kind, vmName, problem, id, host, targetHost } = record;
    const message =
      problem === null ? `${kind} of ${vmName} succeeded` : `${kind} of ${vmName}: ${problem.message}`;
    this.#world.event(`operation.${record.state}`, `vm/${vmName}`, message, {
      operation: id,
      kind,
      host,
      targetHost,
      ...(problem === null ? {} : { code: problem.code }),
    });
  }

  #forget(id: OperationId): void {
    this.#turns.delete(id);
    this.#progress.forget(id);
  }
}

function endOf(result: StepResult, atMs: number): Partial<OperationRecord> {
  if (result.kind === 'done') return { state: 'succeeded', step: 'ended', endedAtMs: atMs };
  if (result.kind !== 'failed') return {};
  const { code, message, details } = result.problem;
  const problem = { code, message: message.slice(0, 4096), details: { ...details } };
  return { state: 'failed', step: 'ended', endedAtMs: atMs, problem };
}

function hasChanged(before: OperationRecord, after: OperationRecord, result: StepResult): boolean {
  return (
    result.kind !== 'wait' ||
    before.step !== after.step ||
    before.state !== after.state ||
    result.desired !== undefined ||
    Object.keys(result.record ?? {}).length > 0 ||
    (result.notes ?? []).length > 0
  );
}

const blank: Omit<
  OperationRecord,
  'id' | 'kind' | 'vm' | 'vmName' | 'reason' | 'createdAtMs' | 'step' | 'timeline'
> = {
  state: 'pending',
  host: null,
  targetHost: null,
  endedAtMs: null,
  problem: null,
  migration: null,
  observation: nothingObserved,
  isPinned: false,
  expectEpoch: 0,
  epoch: null,
  attempts: 0,
  settings: null,
  source: null,
  ended: { source: null, target: null },
  cancelProblem: null,
  isCalledOff: false,
  formerHost: null,
};
