/**
 * What guests cost that do nothing: clones of one template on one agent, their shells at the prompt. CPU time, memory and
 * context switches are the kernel's counts for the whole agent: its vCPU threads, and whatever else it does for them.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import type { GuestImageName } from '@skein/guests';
import { AgentBed, type BedVm } from '../support/agent-bed.ts';
import { until } from '../support/until.ts';
import { cpuSeconds } from './cpu-time.ts';

export interface IdleCost {
  readonly idleGuests: number;
  /** Of one core. */
  readonly idleCpuPercent: number;
  /** Times that a thread of the agent stopped waiting, divided among the guests. */
  readonly wakeupsPerGuestPerS: number;
  /** By how much the agent's resident memory grew for each. */
  readonly rssPerGuestMiB: number;
  /** Of it: RAM that the guest has touched, and what its machine keeps beside it. */
  readonly machineMemoryPerGuestMiB: number;
  /** What it takes without any. */
  readonly agentCpuPercent: number;
}

const host = 'h1';
const extent = { full: { guests: 50, seconds: 30 }, quick: { guests: 10, seconds: 10 } } as const;
const memoryMib = 128;
/** RAM, and the fixed part in front of it (packages/machine/assembly/layout.ts, RAM). */
const machineBytes = memoryMib * 2 ** 20 + 0x1200000;
/** What a guest still does right behind its start is no idling. */
const settleMs = 15_000;
const deadlineMs = 120_000;

export async function measureIdleGuests(options: {
  readonly quick: boolean;
  readonly say: (line: string) => void;
  readonly imageName: GuestImageName;
}): Promise<IdleCost> {
  const { guests, seconds } = options.quick ? extent.quick : extent.full;
  const bed = await AgentBed.start([host], {
    memoryMib: (guests + 2) * memoryMib,
    guestMemoryMib: memoryMib,
    imageName: options.imageName,
  });
  try {
    const { pid } = bed.agent(host);
    // The first one boots and leaves the template.
    const first = await bed.bootVm('guest1', host, 1);
    await bed.stopVm(first);
    await delay(settleMs);
    const alone = await sample(pid, seconds);
    const residentBefore = residentBytes(pid);
    const vms: BedVm[] = [];
    for (let index = 2; index <= guests + 1; index++)
      vms.push(await bed.startVm(`guest${index}`, host, index));
    for (const vm of vms)
      await until(`${vm.name} is ready`, () => bed.console(vm).includes(`ready ${vm.name}`), deadlineMs);
    const cloned = vms.filter((vm) => bed.report(host, vm)?.startedFrom === 'template').length;
    options.say(
      `${guests} guests of ${options.imageName}, ${cloned} of them clones; measured for ${seconds} s`,
    );
    await delay(settleMs);
    const stepsBefore = totalSteps(bed, vms);
    const idle = await sample(pid, seconds);
    const stepsPerS = (totalSteps(bed, vms) - stepsBefore) / seconds / guests;
    const cost = {
      idleGuests: guests,
      idleCpuPercent: rounded(idle.cpuPercent),
      wakeupsPerGuestPerS: rounded((idle.wakeupsPerS - alone.wakeupsPerS) / guests),
      rssPerGuestMiB: rounded((residentBytes(pid) - residentBefore) / guests / 2 ** 20),
      machineMemoryPerGuestMiB: rounded(machineMemoryBytes(pid) / guests / 2 ** 20),
      agentCpuPercent: rounded(alone.cpuPercent),
    };
    options.say(
      `idle: ${cost.idleCpuPercent} % of a core (agent alone ${cost.agentCpuPercent} %), ` +
        `${cost.wakeupsPerGuestPerS} wake-ups and ${Math.round(stepsPerS)} steps a guest and second, ${cost.rssPerGuestMiB} MiB each`,
    );
    return cost;
  } finally {
    await bed.close();
  }
}

/** As the agent reports them. */
function totalSteps(bed: AgentBed, vms: readonly BedVm[]): number {
  return vms.reduce((sum, vm) => sum + (bed.report(host, vm)?.steps ?? 0), 0);
}

async function sample(
  pid: number,
  seconds: number,
): Promise<{ readonly cpuPercent: number; readonly wakeupsPerS: number }> {
  const [startedMs, cpuBefore, wakeupsBefore] = [performance.now(), cpuSeconds(pid), wakeups(pid)];
  await delay(seconds * 1000);
  const elapsedS = (performance.now() - startedMs) / 1000;
  return {
    cpuPercent: (100 * (cpuSeconds(pid) - cpuBefore)) / elapsedS,
    wakeupsPerS: (wakeups(pid) - wakeupsBefore) / elapsedS,
  };
}

/** Voluntary context switches: each ends in a wake-up. Source: proc(5), /proc/PID/status. */
function wakeups(pid: number): number {
  return readdirSync(`/proc/${pid}/task`)
    .map((thread) => Number(statusField(`/proc/${pid}/task/${thread}/status`, 'voluntary_ctxt_switches')))
    .reduce((sum, count) => sum + count, 0);
}

function residentBytes(pid: number): number {
  return Number.parseInt(statusField(`/proc/${pid}/status`, 'VmRSS'), 10) * 1024;
}

/** Resident bytes of the machines' memories: the mappings of that size. Source: proc(5), /proc/PID/smaps. */
function machineMemoryBytes(pid: number): number {
  const mappings = readFileSync(`/proc/${pid}/smaps`, 'latin1').split(/\n(?=[0-9a-f]+-[0-9a-f]+ )/);
  const sizeOf = (mapping: string, name: string): number =>
    Number.parseInt(new RegExp(`^${name}:\\s*(.*)$`, 'm').exec(mapping)?.[1] ?? '0', 10) * 1024;
  return mappings
    .filter((mapping) => sizeOf(mapping, 'Size') === machineBytes)
    .reduce((sum, mapping) => sum + sizeOf(mapping, 'Rss'), 0);
}

function statusField(path: string, name: string): string {
  return new RegExp(`^${name}:\\s*(.*)$`, 'm').exec(readFileSync(path, 'latin1'))?.[1] ?? '';
}

const rounded = (value: number): number => Number(value.toFixed(1));
