/** Puts beside a migration's record what whoever watched it measured, in place of what was said before. */
import { type MigrationObservation, OperationError, type OperationId } from '@skein/shared';
import type { OperationRecord } from '../operations/record.ts';
import type { World } from '../world.ts';

/**
 * Returns the operation as it is then. `by` is for the event.
 * @throws OperationError operation.not-found, operation.wrong-kind, migration.no-record
 */
export function noteObservation(
  world: World,
  id: OperationId,
  observation: MigrationObservation,
  by: string,
): OperationRecord {
  const record = observedRecord(world, id);
  const noted = { ...record, observation };
  return world.atomically(() => {
    world.store.operations.put(noted);
    const { vmName } = record;
    const details = { operation: id, by, ...observation };
    world.event('migration.observed', `vm/${vmName}`, sentence(vmName, observation), details);
    return noted;
  });
}

function observedRecord(world: World, id: OperationId): OperationRecord {
  const record = world.store.operations.get(id);
  if (record === undefined) {
    throw new OperationError({ code: 'operation.not-found', message: `there is no operation ${id}` });
  }
  const { kind, migration, state } = record;
  if (kind !== 'vm-migrate') {
    const message = `${id} is a ${kind}: only a migration is observed`;
    throw new OperationError({ code: 'operation.wrong-kind', message });
  }
  if (migration === null) {
    const message = `${id} is ${state} and has left no record that an observation could stand beside`;
    throw new OperationError({ code: 'migration.no-record', message });
  }
  return record;
}

function sentence(vmName: string, { guest, network }: MigrationObservation): string {
  const seen = [
    guest === null ? [] : [`${guest.gapMs.toFixed(2)} ms by the guest's clock`],
    network === null ? [] : [`${network.gapMs.toFixed(2)} ms by the network's`],
  ].flat();
  return `the migration of ${vmName} was observed: ${seen.join(', ') || 'nothing was heard of it again'}`;
}
