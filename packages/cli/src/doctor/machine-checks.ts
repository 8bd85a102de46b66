/** What every cluster needs of this machine, however it runs: address space, memory, disk. */
import { readFile, statfs } from 'node:fs/promises';
import { freemem, totalmem } from 'node:os';
import { dirname } from 'node:path';
import { defaultCacheFolder } from '@skein/guests';
import { loadCore } from '@skein/machine';
import { toProblem } from '@skein/shared';
import { complaintAboutNode } from '../node-version.ts';
import { parseAddressSpaceLimit } from './address-space.ts';
import { beds, type Finding, good, missing, warning } from './finding.ts';

/**
 * Each machine's memory, and each other that WebAssembly has, reserves 8 GiB of address space (architecture: Memory): three guests, a spare machine, what
 * workers keep (docs/decisions/0015-specimens.md: a machine for a spare VM worker, four memories for each of two transfer workers), and the rest.
 */
const addressSpaceBytesMin = 120 * 2 ** 30;
const freeMemoryMibMin = 1200;
/** Debian's packages (120 MiB), the image made of them, logs. */
const freeDiskMibMin = 500;
const ofProcesses = ['processes', 'namespaces'] as const;

export async function checkNode(): Promise<Finding> {
  const complaint = complaintAboutNode(process.version);
  return complaint === null
    ? good('node', ofProcesses, process.version)
    : missing('node', ofProcesses, process.version, complaint);
}

export async function checkCore(): Promise<Finding> {
  try {
    await loadCore();
    return good('machine core', ofProcesses, 'built');
  } catch (error) {
    return missing('machine core', ofProcesses, toProblem(error).message, 'run: npx --yes pnpm@12 core');
  }
}

/** Of this process, which the programs of a cluster inherit; containers have limits of their own. */
export async function checkAddressSpace(): Promise<Finding> {
  const limit = parseAddressSpaceLimit(await readFile('/proc/self/limits', 'utf8').catch(() => ''));
  const found = limit === null ? 'unlimited' : `limited to ${Math.round(limit / 2 ** 30)} GiB (RLIMIT_AS)`;
  if (limit === null || limit >= addressSpaceBytesMin) return good('address space', ofProcesses, found);
  const advice =
    'each machine reserves 8 GiB of it, and what a host keeps ready some 80; run: ulimit -v unlimited';
  return missing('address space', ofProcesses, found, advice);
}

export async function checkMemory(): Promise<Finding> {
  const meminfo = await readFile('/proc/meminfo', 'utf8').catch(() => '');
  const availableKib = Number(/^MemAvailable:\s+(\d+) kB/m.exec(meminfo)?.[1] ?? freemem() / 1024);
  const availableMib = Math.floor(availableKib / 1024);
  const found = `${availableMib} MiB available of ${Math.floor(totalmem() / 2 ** 20)}`;
  if (availableMib >= freeMemoryMibMin) return good('memory', beds, found);
  const advice = `three hosts with a guest each need about ${freeMemoryMibMin} MiB: end something, or start fewer`;
  return warning('memory', beds, found, advice);
}

export async function checkDisk(stateFolder: string): Promise<readonly Finding[]> {
  return [
    await freeDisk('disk for images', defaultCacheFolder(), 'SKEIN_CACHE', freeDiskMibMin),
    await freeDisk('disk for state', stateFolder, 'SKEIN_STATE', freeDiskMibMin),
  ];
}

async function freeDisk(name: string, folder: string, variable: string, neededMib: number): Promise<Finding> {
  const freeMib = await freeDiskMib(folder);
  if (freeMib === null)
    return warning(name, ofProcesses, `${folder} cannot be looked at`, 'check its rights');
  const found = `${freeMib} MiB free in ${folder}`;
  if (freeMib >= neededMib) return good(name, ofProcesses, found);
  const advice = `about ${neededMib} MiB are needed: free some, or name another folder in ${variable}`;
  return missing(name, ofProcesses, found, advice);
}

/** Of the folder, or of the nearest above it that is there already. */
export async function freeDiskMib(folder: string): Promise<number | null> {
  try {
    const { bavail, bsize } = await statfs(folder);
    return Math.floor((bavail * bsize) / 2 ** 20);
  } catch (error) {
    const isAbsent = (error as NodeJS.ErrnoException).code === 'ENOENT';
    return isAbsent && dirname(folder) !== folder ? freeDiskMib(dirname(folder)) : null;
  }
}
