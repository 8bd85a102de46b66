/** `skein operation cancel`: what changes an operation that is under way. */
import { OperationError, type OperationView } from '@skein/shared';
import type { Command } from 'commander';
import type { ApiClient } from '../client/api-client.ts';
import { followOperation } from '../client/follow-operation.ts';
import { selectOne } from '../client/selection.ts';
import { formatOne } from '../output/format.ts';
import { operationPresentation } from '../output/presentations.ts';
import { clientOf, formatOf } from './shared-options.ts';

export function addOperationCommand(program: Command): void {
  const operation = program.command('operation').description('change what is under way');
  operation
    .command('cancel <id>')
    .description('give up a migration before its commit; its VM stays where it is')
    .option('--no-wait', 'ask for it, and do not wait for its end')
    .action(cancel);
}

async function cancel(text: string, options: { readonly wait: boolean }, command: Command): Promise<void> {
  const format = formatOf(command);
  const client = await clientOf(command);
  const items = await client.operations();
  const { id } = selectOne({ kind: 'operation', nameOf: operationPresentation.nameOf, items }, text);
  const asked = await client.cancelOperation(id);
  const operation = options.wait && asked.endedAtMs === null ? await givenUp(client, id) : asked;
  if (format !== 'table' && format !== 'wide')
    process.stdout.write(formatOne(operationPresentation, operation, format));
  else process.stdout.write(`${sentenceOf(operation)}\n`);
}

/** @throws OperationError operation.not-cancellable: it committed before it heard of it */
async function givenUp(client: ApiClient, id: string): Promise<OperationView> {
  try {
    const { vmName, targetHost } = await followOperation(client, id);
    const message = `the migration ${id} committed before it could be cancelled: ${vmName} runs on ${targetHost}`;
    throw new OperationError({ code: 'operation.not-cancellable', message });
  } catch (error) {
    const isGivenUp =
      error instanceof OperationError &&
      (error.code === 'operation.cancelled' || error.code === 'migration.aborted');
    if (!isGivenUp) throw error;
    return client.operation(id);
  }
}

function sentenceOf({ vmName, host, targetHost, endedAtMs }: OperationView): string {
  return endedAtMs === null
    ? `the migration of vm/${vmName} to ${targetHost} is being cancelled`
    : `vm/${vmName} stays on ${host}: its migration to ${targetHost} is cancelled`;
}
