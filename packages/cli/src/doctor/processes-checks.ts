/** What `skein up` needs: loopback addresses, and no cluster in its way. */
import { toProblem } from '@skein/shared';
import { findCluster } from '../client/access.ts';
import { ApiClient } from '../client/api-client.ts';
import { complaintAboutUdp, findFreeAddresses } from '../cluster/addresses.ts';
import { isRunning } from '../cluster/process.ts';
import { readClusterFile } from '../cluster/state-folder.ts';
import { type Finding, good, missing, warning } from './finding.ts';

const probeHosts = 3;
const loopback = ['processes'] as const;
const ofProcesses = ['processes', 'namespaces'] as const;

export async function checkLoopback(): Promise<Finding> {
  const name = 'loopback addresses';
  const complaint = await complaintAboutUdp('127.20.1.11', 0);
  if (complaint !== null) {
    const advice =
      'every host needs addresses of its own in 127.0.0.0/8; use Linux, or add them to the interface lo';
    return missing(name, loopback, `cannot bind: ${complaint}`, advice);
  }
  try {
    const { clusterNumber } = await findFreeAddresses(probeHosts, 0);
    return good(name, loopback, `127.${clusterNumber}.0.0/16 is free`);
  } catch (error) {
    return missing(name, loopback, toProblem(error).message, 'end a cluster with: skein down');
  }
}

export async function checkCluster(stateFolder: string): Promise<Finding> {
  const name = 'cluster';
  try {
    const file = await readClusterFile(stateFolder);
    if (file === null) return good(name, ofProcesses, 'none');
    const states = await Promise.all(file.processes.map(isRunning));
    const dead = file.processes.filter((_, index) => !states[index]).map((process) => process.name);
    const found = `${file.cluster}: ${states.length - dead.length} of ${states.length} processes run`;
    if (dead.length === states.length)
      return warning(name, ofProcesses, found, 'start it again with: skein up');
    if (dead.length > 0) {
      const all = `${found}; dead: ${dead.join(', ')}`;
      return warning(name, ofProcesses, all, 'see their logs in the state folder');
    }
    await new ApiClient(await findCluster(stateFolder)).cluster();
    return good(name, ofProcesses, found);
  } catch (error) {
    const advice = 'end it with `skein down` and start it again';
    return warning(name, ofProcesses, toProblem(error).message, advice);
  }
}
