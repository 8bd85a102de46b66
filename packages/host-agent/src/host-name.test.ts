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
  it('is the service and number of its container, whatever the project is called', () => {
    expect(hostNameOf(['skein-host-2.skein_management'], 'f00d')).toBe('host-2');
    expect(hostNameOf(['my-own-lab-host-12.my-own-lab_management'], 'f00d')).toBe('host-12');
    expect(hostNameOf(['lab_host_3.lab_management'], 'f00d')).toBe('host-3');
  });

  it('is the name that the network or the machine has, where that can be one', () => {
    expect(hostNameOf(['rack7.example.org'], 'f00d')).toBe('rack7');
    expect(hostNameOf([], 'Laptop.local')).toBe('laptop');
    expect(hostNameOf(['_'], 'f00d')).toBe('f00d');
    expect(hostNameOf([], '_')).toBeNull();
  });

  it('stays what it was at the first start, and is what the configuration says if it says so', async () => {
    const sources = { configured: undefined, stateDirectory, managementAddress: '192.0.2.1' };
    const first = await settleHostName(sources);
    expect(first).toBe(hostNameOf([], hostname()));
    const path = join(stateDirectory, 'identity.json');
    writeFileSync(path, readFileSync(path, 'utf8').replace(first, 'elsewhere'));
    expect(await settleHostName(sources)).toBe('elsewhere');
    expect(await settleHostName({ ...sources, configured: 'given' })).toBe('given');
    writeFileSync(path, '{"host":');
    await expect(settleHostName(sources)).rejects.toMatchObject({ code: 'store.corrupt' });
  });
});
