/**
 * How long a guest takes from the request to its first step and to answering a ping: as a clone of a template, and for
 * comparison by booting its kernel. A real agent with leases and switch; another guest on it pings every 5 ms, knowing
 * the address already, and what counts is when its console shows the first reply.
 */
import { AgentBed, type BedVm } from '../support/agent-bed.ts';
import { until } from '../support/until.ts';
import { median } from './statistics.ts';

export interface StartTimes {
  readonly firstStepMs: number;
  readonly pingMs: number;
}

const host = 'h1';
const runs = { full: 9, quick: 3 } as const;
const deadlineMs = 120_000;

export async function measureStarts(options: {
  readonly quick: boolean;
  readonly say: (line: string) => void;
}): Promise<{ readonly clone: StartTimes; readonly boot: StartTimes }> {
  const bed = await AgentBed.start([host]);
  try {
    const observer = await bed.bootVm('observer', host, 1);
    const clones: StartTimes[] = [];
    const count = options.quick ? runs.quick : runs.full;
    for (let run = 1; run <= count; run++) {
      const times = await measure(bed, observer, run + 1, 'template');
      options.say(`clone ${run}/${count}: ${describe(times)}`);
      clones.push(times);
    }
    // Arguments that no template was made with.
    const boot = await measure(bed, observer, count + 2, 'kernel', 'loglevel=7');
    options.say(`boot: ${describe(boot)}`);
    const medianOf = (what: keyof StartTimes): number => median(clones.map((times) => times[what]));
    return { clone: { firstStepMs: medianOf('firstStepMs'), pingMs: medianOf('pingMs') }, boot };
  } finally {
    await bed.close();
  }
}

async function measure(
  bed: AgentBed,
  observer: BedVm,
  index: number,
  startedFrom: 'kernel' | 'template',
  extraArguments = '',
): Promise<StartTimes> {
  const { address, mac } = bed.addressesOf(index);
  bed.type(observer, `arp -i eth0 -s ${address} ${mac}\n`);
  bed.type(observer, `pinger ${address} 5 & echo pings-$((${index} + 1000))\n`);
  const printed = (pattern: RegExp): (() => boolean) => {
    const from = bed.console(observer).length;
    return () => pattern.test(bed.console(observer).slice(from));
  };
  await until('the observer pings', printed(new RegExp(`^pings-${index + 1000}\\r?$`, 'm')), deadlineMs);
  const isAnswered = printed(/^p \d+ \d+ \d+\r?$/m);
  const startedMs = performance.now();
  const vm = await bed.startVm(`guest${index}`, host, index, extraArguments);
  await until('the guest answers', isAnswered, deadlineMs);
  const pingMs = performance.now() - startedMs;
  const isSilent = printed(/^pinger: sent/m);
  bed.type(observer, 'killall pinger\n');
  const report = await until('the guest is ready', () => {
    const heard = bed.report(host, vm);
    return heard?.readyMs == null ? undefined : heard;
  });
  if (report.startedFrom !== startedFrom) throw new Error(`${vm.name} started from ${report.startedFrom}`);
  await until('the pinger ends', isSilent, deadlineMs);
  await bed.stopVm(vm);
  return { firstStepMs: report.firstStepMs ?? Number.NaN, pingMs };
}

function describe({ firstStepMs, pingMs }: StartTimes): string {
  return `first step after ${firstStepMs.toFixed(0)} ms, answers after ${pingMs.toFixed(0)} ms`;
}
