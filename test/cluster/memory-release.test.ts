/** What a guest's memory costs its host ends with the guest: when it is stopped, and when it has moved away. */
import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { AgentBed, type BedVm } from '../support/agent-bed.ts';
import { until } from '../support/until.ts';

const guestMemoryMib = 256;
const filledMib = 120;
let bed: AgentBed;
let vm: BedVm;

beforeAll(async () => {
  bed = await AgentBed.start(['h1', 'h2'], { guestMemoryMib });
  vm = await bed.bootVm('web1', 'h1', 1);
  bed.type(vm, `filler ${filledMib} &\n`);
  await until(
    'the guest has filled its memory',
    () => /filler: filled \d+ MiB/.test(bed.console(vm)),
    60_000,
  );
});
afterAll(() => bed.close());

/** Source: proc(5), /proc/PID/status. */
function residentMib(host: string): number {
  const status = readFileSync(`/proc/${bed.agent(host).pid}/status`, 'utf8');
  return Number(/VmRSS:\s+(\d+) kB/.exec(status)?.[1] ?? Number.NaN) / 1024;
}

describe("a guest's memory", () => {
  it('is the host’s again when the guest has moved away', async () => {
    const before = residentMib('h1');
    expect(before).toBeGreaterThan(filledMib);
    await bed.migrate(vm, 'h2');
    await until('h1 has it back', () => residentMib('h1') < before - filledMib);
    expect(residentMib('h2')).toBeGreaterThan(filledMib);
  });

  it('is the host’s again when the guest is stopped', async () => {
    const before = residentMib('h2');
    await bed.stopVm(vm);
    await until('h2 has it back', () => residentMib('h2') < before - filledMib);
  });
});
