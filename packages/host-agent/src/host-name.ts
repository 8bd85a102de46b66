/**
 * Which host this is. A configured name counts; else the name that an earlier start left in the state directory; else,
 * at the first start, the machine's own: in a container that is what Docker calls it, so that `docker kill NAME` and the
 * host NAME are one thing. (Docker's name server does not tell a container its own longer name; tried.)
 */
import { readFile, rename, writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { HostName, OperationError } from '@skein/shared';
import { z } from 'zod';

const StoredIdentity = z.strictObject({ formatVersion: z.literal(1), host: HostName });

export interface HostNameSources {
  readonly configured: HostName | undefined;
  readonly stateDirectory: string;
}

/** @throws OperationError store.corrupt, config.invalid */
export async function settleHostName(sources: HostNameSources): Promise<HostName> {
  const { configured, stateDirectory } = sources;
  if (configured !== undefined) return configured;
  const path = join(stateDirectory, 'identity.json');
  const stored = await readStored(path);
  if (stored !== null) return stored;
  const host = hostNameOf(hostname());
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

/** The first label of the machine's name; null if that cannot be a host's name. */
export function hostNameOf(machineName: string): HostName | null {
  const [label = ''] = machineName.toLowerCase().split('.');
  return HostName.safeParse(label).data ?? null;
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
