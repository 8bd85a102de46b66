/** The checks of `skein doctor`. Each looks at the real thing: it binds the addresses, runs the programs. */
import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { freemem, totalmem } from 'node:os';
import { promisify } from 'node:util';
import { listGuestImages } from '@skein/guests';
import { loadCore } from '@skein/machine';
import { toProblem } from '@skein/shared';
import { findCluster } from '../client/access.ts';
import { ApiClient } from '../client/api-client.ts';
import { complaintAboutUdp, findFreeAddresses } from '../cluster/addresses.ts';
import { isRunning } from '../cluster/process.ts';
import { readClusterFile } from '../cluster/state-folder.ts';
import { complaintAboutNode } from '../node-version.ts';
import { parseAddressSpaceLimit } from './address-space.ts';

/** warning: it works without, or only later. missing: something does not work. */
export interface Finding {
  readonly name: string;
  readonly verdict: 'good' | 'warning' | 'missing';
  readonly found: string;
  readonly advice: string | null;
}

const commandDeadlineMs = 10_000;
/** Each machine reserves 8 GiB of address space (architecture: Memory); three guests, and the rest. */
const addressSpaceBytesMin = 40 * 2 ** 30;
const freeMemoryMibMin = 1200;
const probeHosts = 3;

export async function checkMachine(stateFolder: string): Promise<readonly Finding[]> {
  return await Promise.all([
    checkNode(),
    checkCore(),
    checkProgram('apt-get', 'it fetches the packages of the guest image'),
    checkProgram('dpkg-deb', 'it unpacks the packages of the guest image'),
    checkImage(),
    checkAddressSpace(),
    checkMemory(),
    checkLoopback(),
    checkCluster(stateFolder),
  ]);
}

async function checkNode(): Promise<Finding> {
  const complaint = complaintAboutNode(process.version);
  const { execPath } = process;
  return finding(
    'node',
    complaint === null ? 'good' : 'missing',
    `${process.version} (${execPath})`,
    complaint,
  );
}

async function checkCore(): Promise<Finding> {
  try {
    await loadCore();
    return finding('machine core', 'good', 'built', null);
  } catch (error) {
    return finding('machine core', 'missing', messageOf(error), 'run: npx --yes pnpm@12 core');
  }
}

async function checkProgram(program: string, purpose: string): Promise<Finding> {
  try {
    const { stdout } = await promisify(execFile)(program, ['--version'], { timeout: commandDeadlineMs });
    return finding(program, 'good', stdout.split('\n')[0] ?? '', null);
  } catch {
    const advice = `${purpose}; without it, bring .deb files and name their folder in SKEIN_PACKAGE_CACHE`;
    return finding(program, program === 'dpkg-deb' ? 'missing' : 'warning', 'not there', advice);
  }
}

async function checkImage(): Promise<Finding> {
  const warnings: string[] = [];
  const images = await listGuestImages({ onWarning: (message) => warnings.push(message) });
  const [first] = images;
  if (warnings.length > 0) {
    return finding('guest image', 'warning', warnings.join('; '), 'run: skein image build');
  }
  if (first === undefined) {
    return finding(
      'guest image',
      'warning',
      'none yet',
      'it is made when it is needed, or now by: skein image build',
    );
  }
  return finding('guest image', 'good', `${images.length} in the cache, kernel ${first.kernelVersion}`, null);
}

async function checkAddressSpace(): Promise<Finding> {
  const limit = parseAddressSpaceLimit(await readFile('/proc/self/limits', 'utf8').catch(() => ''));
  if (limit === null || limit >= addressSpaceBytesMin) {
    return finding('address space', 'good', limit === null ? 'unlimited' : `${gib(limit)} GiB`, null);
  }
  const advice = 'each machine reserves 8 GiB of it; run: ulimit -v unlimited';
  return finding('address space', 'missing', `limited to ${gib(limit)} GiB (RLIMIT_AS)`, advice);
}

async function checkMemory(): Promise<Finding> {
  const meminfo = await readFile('/proc/meminfo', 'utf8').catch(() => '');
  const availableKib = Number(/^MemAvailable:\s+(\d+) kB/m.exec(meminfo)?.[1] ?? freemem() / 1024);
  const availableMib = Math.floor(availableKib / 1024);
  const found = `${availableMib} MiB available of ${Math.floor(totalmem() / 2 ** 20)}`;
  if (availableMib >= freeMemoryMibMin) return finding('memory', 'good', found, null);
  const advice = `three hosts with a guest each need about ${freeMemoryMibMin} MiB: end something, or start fewer`;
  return finding('memory', 'warning', found, advice);
}

async function checkLoopback(): Promise<Finding> {
  const complaint = await complaintAboutUdp('127.20.1.11', 0);
  if (complaint !== null) {
    const advice =
      'every host needs addresses of its own in 127.0.0.0/8; use Linux, or add them to the interface lo';
    return finding('loopback addresses', 'missing', `cannot bind: ${complaint}`, advice);
  }
  try {
    const { clusterNumber } = await findFreeAddresses(probeHosts, 0);
    return finding('loopback addresses', 'good', `127.${clusterNumber}.0.0/16 is free`, null);
  } catch (error) {
    return finding('loopback addresses', 'missing', messageOf(error), 'end a cluster with: skein down');
  }
}

async function checkCluster(stateFolder: string): Promise<Finding> {
  try {
    const file = await readClusterFile(stateFolder);
    if (file === null) return finding('cluster', 'good', 'none', null);
    const states = await Promise.all(file.processes.map(isRunning));
    const dead = file.processes.filter((_, index) => !states[index]).map(({ name }) => name);
    const found = `${file.cluster}: ${states.length - dead.length} of ${states.length} processes run`;
    if (dead.length === states.length) {
      return finding('cluster', 'warning', found, 'start it again with: skein up');
    }
    if (dead.length > 0)
      return finding(
        'cluster',
        'warning',
        `${found}; dead: ${dead.join(', ')}`,
        'see their logs in the state folder',
      );
    await new ApiClient(await findCluster(stateFolder)).cluster();
    return finding('cluster', 'good', found, null);
  } catch (error) {
    return finding('cluster', 'warning', messageOf(error), 'end it with `skein down` and start it again');
  }
}

function finding(name: string, verdict: Finding['verdict'], found: string, advice: string | null): Finding {
  return { name, verdict, found, advice };
}

function messageOf(error: unknown): string {
  return toProblem(error).message;
}

function gib(bytes: number): number {
  return Math.round(bytes / 2 ** 30);
}
