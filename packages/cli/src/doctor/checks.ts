/** The checks of `skein doctor`. Each looks at the real thing: it binds the addresses, runs the programs. */
import { checkComposeFile } from './compose-checks.ts';
import { checkContainers } from './container-checks.ts';
import { checkDocker } from './docker-checks.ts';
import type { Finding } from './finding.ts';
import { checkImage, checkImageTools } from './image-checks.ts';
import { checkKernel } from './kernel-checks.ts';
import { checkAddressSpace, checkCore, checkDisk, checkMemory, checkNode } from './machine-checks.ts';
import { checkCluster, checkLoopback } from './processes-checks.ts';

export async function checkMachine(stateFolder: string): Promise<readonly Finding[]> {
  const found = await Promise.all([
    checkNode(),
    checkCore(),
    checkMemory(),
    checkAddressSpace(),
    checkDisk(stateFolder),
    checkImageTools(),
    checkImage(),
    checkLoopback(),
    checkCluster(stateFolder),
    checkKernel(),
    checkForContainers(),
  ]);
  return found.flat();
}

/** What only an engine can tell is asked of one that answers. */
async function checkForContainers(): Promise<readonly Finding[]> {
  const docker = await checkDocker();
  if (docker.some(({ verdict }) => verdict === 'missing')) return docker;
  const more = await Promise.all([checkComposeFile(), checkContainers()]);
  return [...docker, ...more.flat()];
}
