/**
 * Which host this is. A configured name counts; else the name that an earlier start left in the state directory; else,
 * at the first start, the name under which the container network knows this machine's management address, so that
 * `docker kill skein-host-2` and `host-2` are one thing.
 */
import { reverse } from 'node:dns/promises';
import { readFile, rename, writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { HostName, OperationError } from '@skein/shared';
import { z } from 'zod';

const StoredIdentity = z.strictObject({ formatVersion: z.literal(1), host: HostName });

export interface HostNameSources {
  readonly configured: HostName | undefined;
  readonly stateDirectory: string;
  readonly managementAddress: string;
}

/** @throws OperationError store.corrupt, config.invalid */
export async function settleHostName(sources: HostNameSources): Promise<HostName> {
  const { configured, stateDirectory, managementAddress } = sources;
  if (configured !== undefined) return configured;
  const path = join(stateDirectory, 'identity.json');
  const stored = await readStored(path);
  if (stored !== null) return stored;
  const host = hostNameOf(await namesOf(managementAddress), hostname());
  if (host === null) {
    throw new OperationError({
      code: 'config.invalid',
      message: `this machine's name ${hostname()} is no DNS label: give the host a name with "host" in its configuration`,
    });
  }
  await writeFile(`${path}.new`, `${JSON.stringify({ formatVersion: 1, host })}\n`, { mode: 0o600 });
  await rename(`${path}.new`, path);
  return host;
}

/**
 * Compose calls the second container of a service `host` `PROJECT-host-2`, and its name's first label is that. Other
 * names are taken as they are. Null if none of them can be a host's name.
 */
export function hostNameOf(dnsNames: readonly string[], machineName: string): HostName | null {
  for (const name of [...dnsNames, machineName]) {
    const [label = ''] = name.toLowerCase().split('.');
    const replica = /(?:^|[-_])([a-z0-9]+)[-_](\d+)$/.exec(label);
    const candidate = replica === null ? label : `${replica[1]}-${replica[2]}`;
    const parsed = HostName.safeParse(candidate);
    if (parsed.success) return parsed.data;
  }
  return null;
}

async function readStored(path: string): Promise<HostName | null> {
  const text = await readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return null;
    throw error;
  });
  if (text === null) return null;
  const parsed = StoredIdentity.safeParse(parseJson(text));
  if (parsed.success) return parsed.data.host;
  throw new OperationError({
    code: 'store.corrupt',
    message: `${path} is damaged: write {"formatVersion":1,"host":"NAME"} into it, or remove it to choose a name anew`,
  });
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** None where no name server knows the address, which is usual outside of containers. */
async function namesOf(address: string): Promise<readonly string[]> {
  return await reverse(address).catch(() => []);
}
