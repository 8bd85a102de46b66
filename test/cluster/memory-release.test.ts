/** What a guest's memory costs its host ends with the guest: when it is stopped, and when it has moved away. */
import { readFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { AgentBed, type BedVm } from '../support/agent-bed.ts';
import { until } from '../support/until.ts';

const guestMemoryMib = 256;
const filledMib = 120;
/** packages/host-agent/src/memory-release.ts. */
const collectionDelayMs = 1200;
let bed: AgentBed;
let vm: BedVm;

beforeAll(async () => {
  bed = await AgentBed.start(['h1', 'h2'], { guestMemoryMib });
  vm = await filledGuest('web1', 1);
});
afterAll(() => bed.close());

async function filledGuest(name: string, number: number): Promise<BedVm> {
  const guest = await bed.bootVm(name, 'h1', number);
  bed.type(guest, `filler ${filledMib} &\n`);
  const isFilled = (): boolean => /filler: filled \d+ MiB/.test(bed.console(guest));
  await until(`${name} has filled its memory`, isFilled, 60_000);
  return guest;
}

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

  it('is the host’s again when the guest has moved away right before the memory of another one is collected', async () => {
    const guests = await Promise.all([filledGuest('web2', 2), filledGuest('web3', 3)]);
    const before = residentMib('h1');
    for (const guest of guests) {
      await bed.migrate(guest, 'h2');
      // The second one's workers let go of its memory when the first one's is collected, or a moment later.
      await delay(collectionDelayMs - 250);
    }
    await until('h1 has both back', () => residentMib('h1') < before - 2 * filledMib);
  });
});
