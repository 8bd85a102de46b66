/** The options that every command has, and what follows from them. */
import { resolve } from 'node:path';
import type { Command } from 'commander';
import { type ClusterAccess, findCluster } from '../client/access.ts';
import { ApiClient } from '../client/api-client.ts';
import { defaultStateFolder } from '../cluster/state-folder.ts';
import { type OutputFormat, outputFormat, outputFormats } from '../output/format.ts';

interface SharedOptions {
  readonly output?: string;
  readonly state?: string;
}

/** A wrong form of output is refused before anything is done. */
export function addSharedOptions(program: Command): void {
  program
    .hook('preAction', (_program, action) => {
      if (!hasOutputFile(action)) formatOf(action);
    })
    .option(
      '-o, --output <FORMAT>',
      `form of the output: ${outputFormats.join(', ')} (default: $SKEIN_OUTPUT, else table)`,
    )
    .option(
      '--state <DIR>',
      "folder of the cluster's files (default: $SKEIN_STATE, else ~/.local/state/skein)",
    );
}

export function formatOf(command: Command): OutputFormat {
  return outputFormat(command.optsWithGlobals<SharedOptions>().output);
}

/** Its `--output` is its own, and names a file. */
function hasOutputFile(command: Command): boolean {
  return command.options.some((option) => option.attributeName() === 'output');
}

/** The file of a command that declares `--output` itself: the program, which knows the option too, takes it first. */
export function outputFileOf(command: Command): string | undefined {
  return command.optsWithGlobals<SharedOptions>().output;
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
