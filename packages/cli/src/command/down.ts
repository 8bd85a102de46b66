/** `skein down`: ends exactly the processes that `skein up` started. What the cluster knows stays, for the next `up`. */
import { rm } from 'node:fs/promises';
import type { Command } from 'commander';
import { isRunning, stopProcesses } from '../cluster/process.ts';
import {
  type ClusterProcess,
  clusterFilePath,
  readClusterFile,
  removeClusterFiles,
} from '../cluster/state-folder.ts';
import { fail } from '../failure.ts';
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
  if (file === null)
    fail('cluster.not-running', `there is no cluster in ${stateFolder}; start one with: skein up`);
  const line = new StatusLine();
  const running = await filterRunning(file.processes);
  line.show(`ending ${running.length} processes`);
  const killed = await endInOrder(running);
  line.clear();
  if (options.purge === true) await removeClusterFiles(stateFolder, file);
  await rm(clusterFilePath(stateFolder), { force: true });
  for (const { name, pid } of killed) line.say(`${name} (pid ${pid}) had to be killed`);
  line.say(
    `cluster ${file.cluster} is down: ${running.length} of ${file.processes.length} processes were running`,
  );
}

/** Hosts first, so that the others see them leave and not the other way round. */
async function endInOrder(running: readonly ClusterProcess[]): Promise<readonly ClusterProcess[]> {
  const killed: ClusterProcess[] = [];
  for (const role of ['agent', 'coordinator', 'storage'] as const) {
    killed.push(...(await stopProcesses(running.filter((one) => one.role === role))));
  }
  return killed;
}

async function filterRunning(processes: readonly ClusterProcess[]): Promise<readonly ClusterProcess[]> {
  const states = await Promise.all(processes.map(isRunning));
  return processes.filter((_, index) => states[index]);
}
