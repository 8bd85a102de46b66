import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { createMachineMemory, loadCore } from '@skein/machine';
import { describe, expect, it } from 'vitest';

/** Of address space: a few shared memories of 8 to 12 GiB each, and what a node process with a worker has. */
const limitKib = 48 << 20;

describe('a host without address space for a spare machine', () => {
  it('says so, has its spare thread all the same, and gives the next VM a memory of its own', async () => {
    const fixture = join(import.meta.dirname, 'spare-machines.fixture.ts');
    const limited = ['-c', 'ulimit -v "$1" && exec "$2" "$3"', 'sh', String(limitKib), process.execPath];
    const { stdout } = await promisify(execFile)('sh', [...limited, fixture], { timeout: 60_000 });
    const { hogCount, troubles, memoryBytes } = JSON.parse(stdout);
    expect(hogCount).toBeGreaterThan(0);
    expect(troubles).toEqual([expect.stringContaining('could not allocate memory')]);
    expect(memoryBytes).toBe(createMachineMemory(await loadCore(), 64).buffer.byteLength);
  });
});
