/** Migrations that took place: the operations of that kind, and the records that they left. */
import {
  type MigrationObservation,
  type MigrationRecord,
  OperationError,
  OperationId,
  type OperationView,
} from '@skein/shared';
import { operationPresentation } from '../output/presentations.ts';
import type { ApiClient } from './api-client.ts';
import { selectOne, withoutKind } from './selection.ts';

/** The newest first. */
export async function migrations(client: ApiClient): Promise<readonly OperationView[]> {
  return (await client.operations()).filter(({ kind }) => kind === 'vm-migrate');
}

/** What an operation left, what an observer added to it, and the name that its guest had. */
export interface RecordedMigration {
  readonly record: MigrationRecord;
  readonly observation: MigrationObservation;
  readonly vmName: string;
}

/**
 * The record that an operation left.
 * @throws OperationError operation.not-found, name.ambiguous, operation.wrong-kind, migration.no-record
 */
export async function recordedMigration(client: ApiClient, text: string): Promise<RecordedMigration> {
  const operation = await operationNamed(client, text);
  if (operation.kind !== 'vm-migrate') {
    throw new OperationError({
      code: 'operation.wrong-kind',
      message: `${operation.id} is a ${operation.kind}, no migration: \`skein migration list\` shows those`,
    });
  }
  const { migration: record, observation, vmName } = operation;
  if (record !== null) return { record, observation, vmName };
  throw new OperationError({
    code: 'migration.no-record',
    message:
      operation.endedAtMs === null
        ? `${operation.id} is ${operation.state} and has no record until it ends; \`skein describe operation ${operation.id}\` shows how far it is`
        : `${operation.id} left no record: ${operation.problem?.message ?? 'neither host told one before it was lost'}`,
  });
}

/** A whole id is asked for as such: the list has the newest operations only. */
async function operationNamed(client: ApiClient, text: string): Promise<OperationView> {
  const id = OperationId.safeParse(withoutKind('operation', text));
  if (id.success) return client.operation(id.data);
  const items = await client.operations();
  return selectOne({ kind: 'operation', nameOf: operationPresentation.nameOf, items }, text);
}
