/** `skein down`: ends exactly the processes that `skein up` started. What the cluster knows stays, for the next `up`. */
import { rm } from 'node:fs/promises';
import type { Command } from 'commander';
import { stopProcesses } from '../cluster/process.ts';
import { runningProcesses } from '../cluster/running-processes.ts';
import {
  type ClusterFile,
  type ClusterProcess,
  clusterFilePath,
  readClusterFile,
  removeClusterFiles,
} from '../cluster/state-folder.ts';
import { StatusLine } from '../output/status-line.ts';
import { stateFolderOf } from './shared-options.ts';

interface DownOptions {
  readonly purge?: boolean;
}

export function addDownCommand(program: Command): void {
  program
    .command('down')
    .description('end the cluster that `skein up` started; its VMs are known again at the next `up`')
    .option('--purge', 'also remove all that the cluster kept: VMs, leases, logs')
    .action(down);
}

async function down(options: DownOptions, command: Command): Promise<void> {
  const stateFolder = stateFolderOf(command);
  const file = await readClusterFile(stateFolder);
  const running = await runningProcesses(stateFolder, file);
  const line = new StatusLine();
  if (running.length > 0) line.show(`ending ${running.length} processes`);
  const killed = await endInOrder(running);
  line.clear();
  if (options.purge === true) await removeClusterFiles(stateFolder);
  await rm(clusterFilePath(stateFolder), { force: true });
  for (const { name, pid } of killed) line.say(`${name} (pid ${pid}) had to be killed`);
  line.say(summary(stateFolder, file, running.length));
}

/** What is down already is no failure: whoever asks for it has what he wants. */
function summary(stateFolder: string, file: ClusterFile | null, running: number): string {
  if (file === null && running === 0) return `there is nothing to end: no cluster in ${stateFolder}`;
  if (file === null) return `a cluster that was not up is down: ${running} processes were running`;
  const known = Math.max(running, file.processes.length);
  return `cluster ${file.cluster} is down: ${running} of ${known} processes were running`;
}

/** Hosts first, so that the others see them leave and not the other way round; last what the networks live by. */
async function endInOrder(running: readonly ClusterProcess[]): Promise<readonly ClusterProcess[]> {
  const killed: ClusterProcess[] = [];
  for (const role of ['agent', 'coordinator', 'storage', 'gateway'] as const) {
    killed.push(...(await stopProcesses(running.filter((one) => one.role === role))));
  }
  return killed;
}
