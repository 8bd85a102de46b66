/**
 * How an operation proceeds: a table of steps for each kind. A step has at most one effect and can be repeated, for
 * a coordinator that was killed in the middle of a step does it again after its restart.
 */
import type { Epoch, HostName, OperationKind, PowerState, Problem } from '@skein/shared';
import type { Environment } from '../env.ts';
import { type Inventory, isLiveCopy, type Sighting, type VmInventory } from '../policy/inventory.ts';
import type { OperationRecord, OperationStepName } from './record.ts';

export interface Note {
  readonly name: string;
  readonly detail: string;
}

/** What changes with a step, all of it in one transaction. */
export interface StepChanges {
  readonly record?: Partial<OperationRecord>;
  readonly notes?: readonly Note[];
  readonly desired?: { readonly host?: HostName | null; readonly epoch?: Epoch };
  readonly power?: PowerState;
  /** A host would not have it; it is not asked again for a while. */
  readonly refusal?: { readonly host: HostName; readonly reason: string };
  readonly deletesVm?: boolean;
}

export type StepResult =
  | ({ readonly kind: 'next'; readonly step: OperationStepName } & StepChanges)
  /** Tried again when anything changes. */
  | ({
      readonly kind: 'wait';
      readonly step?: OperationStepName;
      readonly reason: string | null;
    } & StepChanges)
  | ({ readonly kind: 'done' } & StepChanges)
  | ({ readonly kind: 'failed'; readonly problem: Problem } & StepChanges);

export interface StepContext {
  readonly env: Environment;
  readonly record: OperationRecord;
  readonly vm: VmInventory;
  readonly inventory: Inventory;
  /** Since this process began, or went on with, the operation; and its step. */
  readonly elapsedMs: number;
  readonly inStepMs: number;
}

export type Step = (context: StepContext) => StepResult | Promise<StepResult>;

export interface OperationProgram {
  readonly kind: OperationKind;
  readonly first: OperationStepName;
  readonly steps: Partial<Record<OperationStepName, Step>>;
}

/** The newest copy that may run, as told by a host that can be asked now. */
export function liveCopy({ vm, inventory }: Pick<StepContext, 'vm' | 'inventory'>): Sighting | null {
  let best: Sighting | null = null;
  for (const sighting of vm.sightings) {
    if (!isLiveCopy(sighting.report) || sighting.report.state === 'stopping') continue;
    if (!isReachable(inventory, sighting.host)) continue;
    if (best === null || sighting.report.epoch > best.report.epoch) best = sighting;
  }
  return best;
}

export function isReachable(inventory: Inventory, name: HostName): boolean {
  return inventory.hosts.some((host) => host.name === name && host.isReachable);
}

export function isFailed(inventory: Inventory, name: HostName): boolean {
  return inventory.hosts.some((host) => host.name === name && host.state === 'failed');
}

/** The command may or may not have been carried out. */
export function isOutcomeUnknown(problem: Problem): boolean {
  return problem.code === 'link.closed' || problem.code === 'link.timeout' || problem.code === 'timeout';
}
