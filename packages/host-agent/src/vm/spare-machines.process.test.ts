import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { createMachineMemory, loadCore } from '@skein/machine';
import { describe, expect, it } from 'vitest';

const limitKib = 48 << 20;

describe('a host without address space for a spare machine', () => {
  it('says so, has its spare thread all the same, and gives the next VM a memory of its own', async () => {
    const fixture = new URL('spare-machines.fixture.ts', import.meta.url).pathname;
    const { stdout } = await promisify(execFile)('sh', [
      '-c',
      'ulimit -v "$1" && exec "$2" "$3"',
      'sh',
      String(limitKib),
      process.execPath,
      fixture,
    ]);
    const { hogCount, troubles, memoryBytes } = JSON.parse(stdout);
    expect(hogCount).toBeGreaterThan(0);
    expect(troubles).toEqual([expect.stringContaining('could not allocate memory')]);
    expect(memoryBytes).toBe(createMachineMemory(await loadCore(), 64).buffer.byteLength);
  });
});
