/**
 * `pnpm bench pairs`: which pairs of instructions Debian's kernel and programs execute, counted exactly by a core made for
 * it. The list of fused pairs (packages/machine/src/operations/pairs.ts) is chosen from what this prints, never from the
 * programs that `bench machine` measures.
 */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buildRootDisk, defaultDiskPackages, ensureGuestImage } from '@skein/guests';
import { type BlockBackend, createMachineMemory } from '@skein/machine';
import { isReady, LoneGuest } from '../../support/lone-guest.ts';
import { buildCoreVariant } from '../layers/core-variants.ts';
import type { Bench } from '../main.ts';
import { countedPackages, countedPrograms } from './counted-programs.ts';
import { histogramMib, PairCounts, type PairShare } from './pair-counts.ts';

const memoryMib = 384;
const diskSizeMib = 384;
const shown = 160;

interface ProgramCount {
  readonly name: string;
  readonly dispatches: number;
  readonly shares: readonly PairShare[];
}

export const benchPairs: Bench = async ({ quick, say }) => {
  say('compiling a core that counts pairs');
  const core = await buildCoreVariant('counting', { isPairCounted: true });
  const image = await ensureGuestImage();
  const memory = createMachineMemory(core, memoryMib + histogramMib);
  const guest = new LoneGuest({
    core,
    memoryMib,
    memory,
    devices: { nics: [], disks: [{ backend: await makeDisk(say) }] },
  });
  const counts = new PairCounts(memory);
  const programs: ProgramCount[] = [];
  const note = (name: string): void => {
    const { dispatches } = counts;
    programs.push({ name, dispatches, shares: counts.shares() });
    say(`${name.padEnd(10)} ${(dispatches / 1e6).toFixed(1)} million instructions`);
  };
  guest.boot(image, 'root=/dev/vda');
  guest.runUntil(() => isReady(guest));
  note('kernel');
  for (const { name, prepare, line } of quick ? countedPrograms.slice(0, 3) : countedPrograms) {
    if (prepare !== undefined) guest.ask(prepare);
    counts.clear();
    const printed = guest.ask(`${line}; echo "status $?"`);
    if (!printed.endsWith('status 0\n'))
      throw new Error(`${name} failed in the guest: ${printed.slice(-500)}`);
    note(name);
  }
  const pairs = meanShares(programs).slice(0, shown);
  for (const { first, second, percent } of pairs)
    say(`${percent.toFixed(2).padStart(6)} % ${first} ${second}`);
  return {
    programs: programs.map(({ name, dispatches }) => ({ name, dispatches })),
    pairs: pairs.map(({ first, second, percent }) => [first, second, Number(percent.toFixed(2))]),
  };
};

/** Each program counts alike, however long it ran. */
function meanShares(programs: readonly ProgramCount[]): readonly PairShare[] {
  const sums = new Map<string, PairShare>();
  for (const { shares } of programs) {
    for (const { first, second, percent } of shares) {
      const key = `${first} ${second}`;
      const sum = sums.get(key)?.percent ?? 0;
      sums.set(key, { first, second, percent: sum + percent / programs.length });
    }
  }
  return [...sums.values()].sort((a, b) => b.percent - a.percent);
}

/** Made anew, read into memory: what the guest writes is forgotten. */
async function makeDisk(say: (line: string) => void): Promise<BlockBackend> {
  const folder = mkdtempSync(join(tmpdir(), 'skein-pairs-'));
  try {
    const path = join(folder, 'root.img');
    say('making a root disk of Debian');
    const packages = [...defaultDiskPackages, ...countedPackages];
    await buildRootDisk({ path, sizeMib: diskSizeMib, packages });
    return memoryDisk(readFileSync(path));
  } finally {
    rmSync(folder, { recursive: true });
  }
}

function memoryDisk(content: Buffer): BlockBackend {
  return {
    capacityBytes: content.length,
    isReadOnly: false,
    read: (offset, target) => target.set(content.subarray(offset, offset + target.length)),
    write: (offset, bytes) => content.set(bytes, offset),
    zero: (offset, lengthBytes) => content.fill(0, offset, offset + lengthBytes),
    flush: () => {},
  };
}
