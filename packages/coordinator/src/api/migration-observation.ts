/** Puts beside a migration what whoever watched it measured by one of its clocks, in place of what was said before. */
import { isDeepStrictEqual } from 'node:util';
import { type ObservedClock, type ObservedGap, OperationError, type OperationId } from '@skein/shared';
import { isEnded, type OperationRecord } from '../operations/record.ts';
import type { World } from '../world.ts';

export interface Told {
  readonly clock: ObservedClock;
  readonly gap: ObservedGap;
  /** For the event. */
  readonly by: string;
}

/**
 * Returns the operation as it is then. Saying the same again changes nothing.
 * @throws OperationError operation.not-found, operation.wrong-kind, vm.busy
 */
export function keepObservation(world: World, id: OperationId, { clock, gap, by }: Told): OperationRecord {
  const record = observableRecord(world, id);
  if (isDeepStrictEqual(record.observation[clock], gap)) return record;
  const kept = { ...record, observation: { ...record.observation, [clock]: gap } };
  return world.atomically(() => {
    world.store.operations.put(kept);
    const { vmName } = record;
    const details = { operation: id, by, clock, ...gap };
    world.event('migration.observed', `vm/${vmName}`, sentence(vmName, clock, gap), details);
    return kept;
  });
}

/** With or without a record: where its hosts were lost, an observer is all that there is. */
function observableRecord(world: World, id: OperationId): OperationRecord {
  const record = world.store.operations.get(id);
  if (record === undefined) {
    throw new OperationError({ code: 'operation.not-found', message: `there is no operation ${id}` });
  }
  const { kind, state, vmName } = record;
  if (kind !== 'vm-migrate') {
    const message = `${id} is a ${kind}: only a migration is observed`;
    throw new OperationError({ code: 'operation.wrong-kind', message });
  }
  if (!isEnded(record)) {
    const message = `the migration ${id} of ${vmName} is ${state}: say what was observed of it when it has ended`;
    throw new OperationError({ code: 'vm.busy', message });
  }
  return record;
}

function sentence(vmName: string, clock: ObservedClock, { gapMs, hasEnded }: ObservedGap): string {
  const whose = clock === 'guest' ? "the guest's clock" : "the network's clock";
  const gap = hasEnded
    ? `${gapMs.toFixed(2)} ms`
    : `${gapMs.toFixed(2)} ms and more, for it was not heard again`;
  return `the migration of ${vmName} was observed: by ${whose} ${gap}`;
}
