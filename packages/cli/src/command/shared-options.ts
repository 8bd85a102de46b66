/** The options that every command has, and what follows from them. */
import { resolve } from 'node:path';
import { type Command, Option } from 'commander';
import { type ClusterAccess, findCluster } from '../client/access.ts';
import { ApiClient } from '../client/api-client.ts';
import { defaultStateFolder } from '../cluster/state-folder.ts';
import { type OutputFormat, outputFormat, outputFormats } from '../output/format.ts';

interface SharedOptions {
  readonly output?: string;
  readonly state?: string;
}

export function addSharedOptions(program: Command): void {
  program
    .addOption(
      new Option('-o, --output <FORMAT>', 'form of the output (default: $SKEIN_OUTPUT, else table)').choices(
        outputFormats,
      ),
    )
    .option(
      '--state <DIR>',
      "folder of the cluster's files (default: $SKEIN_STATE, else ~/.local/state/skein)",
    );
}

export function formatOf(command: Command): OutputFormat {
  return outputFormat(command.optsWithGlobals<SharedOptions>().output);
}

/** Undefined when the person named none. */
export function givenStateFolder(command: Command): string | undefined {
  const { state } = command.optsWithGlobals<SharedOptions>();
  return state === undefined ? undefined : resolve(state);
}

export function stateFolderOf(command: Command): string {
  return givenStateFolder(command) ?? defaultStateFolder();
}

export function accessOf(command: Command): Promise<ClusterAccess> {
  return findCluster(givenStateFolder(command));
}

export async function clientOf(command: Command): Promise<ApiClient> {
  return new ApiClient(await accessOf(command));
}
