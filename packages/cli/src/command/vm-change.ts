/** What every change of a VM has in common: which VM is meant, and the operation that is followed to its end. */
import { type ChangeReply, OperationError, type OperationView } from '@skein/shared';
import type { Command } from 'commander';
import type { ApiClient } from '../client/api-client.ts';
import { followOperation } from '../client/follow-operation.ts';
import { selectOne } from '../client/selection.ts';
import { formatOne } from '../output/format.ts';
import { formatMigrationSummary, observedLines } from '../output/migration-report.ts';
import { operationPresentation, vmPresentation } from '../output/presentations.ts';
import { formatOf } from './shared-options.ts';

/** The VM's name. @throws OperationError vm.not-found, name.ambiguous */
export async function fullVmName(client: ApiClient, text: string): Promise<string> {
  return selectOne({ kind: 'vm', nameOf: vmPresentation.nameOf, items: await client.vms() }, text).name;
}

export function hostOf(host: string | undefined): { readonly host?: string } {
  return host === undefined ? {} : { host };
}

export interface FinishOptions {
  readonly wait: boolean;
  /**
   * What is still to be done when the operation has ended, well or not; it does not throw. Returns the operation as it is
   * then, null where it is as it was.
   */
  readonly whenEnded?: (id: string) => Promise<OperationView | null>;
}

/** Waits for the operation unless told not to, and prints what a person or a program wants to know then. */
export async function finishChange(
  client: ApiClient,
  reply: ChangeReply,
  options: FinishOptions,
  command: Command,
): Promise<void> {
  const format = formatOf(command);
  const isForPeople = format === 'table' || format === 'wide';
  if (reply.operation === null) {
    if (isForPeople) process.stdout.write(`vm/${reply.vm.name} is ${reply.vm.state}\n`);
    else process.stdout.write(formatOne(vmPresentation, reply.vm, format));
    return;
  }
  if (!options.wait) {
    if (format === 'json') process.stdout.write(`${JSON.stringify(reply, null, 2)}\n`);
    else process.stdout.write(`${format === 'name' ? 'operation/' : ''}${reply.operation}\n`);
    return;
  }
  const operation = await follow(client, reply.operation, options, isForPeople);
  if (isForPeople) process.stdout.write(`${sentenceOf(operation)}\n`);
  else process.stdout.write(formatOne(operationPresentation, operation, format));
}

/** @throws OperationError what made it fail; Interrupted when the person leaves it alone */
async function follow(
  client: ApiClient,
  id: string,
  { whenEnded }: FinishOptions,
  showsRounds: boolean,
): Promise<OperationView> {
  try {
    const succeeded = await followOperation(client, id, { showsRounds });
    return (await whenEnded?.(id)) ?? succeeded;
  } catch (error) {
    if (error instanceof OperationError && whenEnded !== undefined && (await hasEnded(client, id)))
      await whenEnded(id);
    throw error;
  }
}

/** False as well where nobody can be asked. */
async function hasEnded(client: ApiClient, id: string): Promise<boolean> {
  return client.operation(id).then(
    ({ endedAtMs }) => endedAtMs !== null,
    () => false,
  );
}

function sentenceOf(operation: OperationView): string {
  const vm = `vm/${operation.vmName}`;
  switch (operation.kind) {
    case 'vm-start':
    case 'vm-restart':
      return `${vm} runs on ${operation.targetHost ?? operation.host ?? 'a host'}`;
    case 'vm-stop':
      return `${vm} is stopped`;
    case 'vm-delete':
      return `${vm} is deleted`;
    case 'vm-migrate':
      return operation.migration === null
        ? [
            `${vm} runs on ${operation.targetHost ?? 'another host'}`,
            ...observedLines(operation.observation),
          ].join('\n')
        : `${vm} moved (${operation.id})\n${formatMigrationSummary(operation.migration, operation.observation)}`;
  }
}
