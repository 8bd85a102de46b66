/** Pages that a guest's kernel reported free to its balloon do not travel, and the record tells them apart. */
import { pageBytes } from '@skein/shared';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { AgentBed, type BedVm } from '../support/agent-bed.ts';
import { until } from '../support/until.ts';

/** Linux reports free pages only while more than 64 MiB are free (page_reporting_process_zone). */
const guestMemoryMib = 256;
const filledMib = 96;
/** It reports some of them every two seconds: a part of what was filled is enough to see. */
const expectedPages = (16 << 20) / pageBytes;
const migrationsMax = 100;

let bed: AgentBed;
let vm: BedVm;

beforeAll(async () => {
  bed = await AgentBed.start(['h1', 'h2'], { guestMemoryMib });
  vm = await bed.bootVm('web1', 'h1', 1);
});
afterAll(() => bed.close());

/** Of all migrations until so many were told; each counts what its source heard of. */
async function freePagesUntil(mode: 'pre-copy' | 'post-copy', pages: number): Promise<number> {
  let told = 0;
  for (let time = 0; time < migrationsMax && told < pages; time++) {
    const record = await bed.migrate(vm, vm.host === 'h1' ? 'h2' : 'h1', { mode, compression: 'never' });
    const { stateHashSource, stateHashTarget, stateHashSourceFull, freePages, zeroPages, deltaPages } =
      record;
    expect([stateHashTarget, stateHashSourceFull]).toEqual([stateHashSource, stateHashSource]);
    const [first] = record.rounds;
    if (first !== undefined) {
      const whole = first.pages - first.freePages - first.zeroPages;
      // Entries and headers are less than a hundredth of whole pages, and all there is of zero ones.
      expect(first.bytes).toBeLessThan(whole * pageBytes * 1.01 + first.zeroPages * 20);
    }
    expect(freePages + zeroPages + deltaPages).toBeLessThanOrEqual(record.pages);
    await until('all is there', () => bed.report(vm.host, vm)?.missingPages === 0);
    told += freePages;
  }
  return told;
}

describe.each(['pre-copy', 'post-copy'] as const)('in mode %s', (mode) => {
  it('pages that the guest has freed are told as such, and the others are as they were', async () => {
    const before = bed.console(vm).length;
    const said = (): string => bed.console(vm).slice(before);
    bed.type(vm, `filler ${filledMib} & large=$!; filler 8 7 & small=$!\n`);
    await until('both have filled', () => said().match(/filler: filled/g)?.length === 2, 60_000);
    bed.type(vm, 'kill $large\n');
    await until(
      'the memory is free',
      () => new RegExp(`verified ${filledMib * 256} pages`).test(said()),
      60_000,
    );
    expect(await freePagesUntil(mode, expectedPages)).toBeGreaterThanOrEqual(expectedPages);
    bed.type(vm, 'kill $small\n');
    await until('the other one has verified', () => /verified 2048 pages/.test(said()));
    expect(said()).not.toMatch(/MISMATCH/);
  });
});
