import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { hostNameOf, settleHostName } from './host-name.ts';

let stateDirectory: string;
beforeEach(() => {
  stateDirectory = mkdtempSync(join(tmpdir(), 'skein-host-name-'));
});
afterEach(() => rmSync(stateDirectory, { recursive: true }));

describe("a host's name", () => {
  it('is the first label of the name that the machine has, where that can be one', () => {
    expect(hostNameOf('h2')).toBe('h2');
    expect(hostNameOf('2cdb7c76ac98')).toBe('2cdb7c76ac98');
    expect(hostNameOf('Laptop.local')).toBe('laptop');
    expect(hostNameOf('_')).toBeNull();
  });

  it('stays what it was at the first start, and is what the configuration says if it says so', async () => {
    const sources = { configured: undefined, stateDirectory };
    const first = await settleHostName(sources);
    expect(first).toBe(hostNameOf(hostname()));
    const path = join(stateDirectory, 'identity.json');
    writeFileSync(path, readFileSync(path, 'utf8').replace(first, 'elsewhere'));
    expect(await settleHostName(sources)).toBe('elsewhere');
    expect(await settleHostName({ ...sources, configured: 'given' })).toBe('given');
    writeFileSync(path, '{"host":');
    await expect(settleHostName(sources)).rejects.toMatchObject({ code: 'store.corrupt' });
  });
});
