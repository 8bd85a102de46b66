/**
 * How a command finds its cluster: `SKEIN_URL` with `SKEIN_TOKEN_FILE`, else the cluster that `skein up` started in the
 * state folder.
 */
import { OperationError } from '@skein/shared';
import { readTokenFile } from '@skein/transport';
import { clusterFilePath, defaultStateFolder, readClusterFile } from '../cluster/state-folder.ts';
import { usageError } from '../failure.ts';

export interface ClusterAccess {
  /** Without a slash at its end. */
  readonly url: string;
  readonly token: Uint8Array;
}

/** @throws OperationError cluster.not-running, config.unreadable, config.invalid, request.invalid */
export async function findCluster(
  stateFolder: string | undefined,
  environment: NodeJS.ProcessEnv = process.env,
): Promise<ClusterAccess> {
  const url = environment.SKEIN_URL;
  if (stateFolder === undefined && url !== undefined && url !== '') {
    const tokenFile = environment.SKEIN_TOKEN_FILE;
    if (tokenFile === undefined || tokenFile === '') {
      throw usageError('SKEIN_URL is set, and so SKEIN_TOKEN_FILE must name the file with the API token');
    }
    return { url: checkedUrl(url), token: await readTokenFile(tokenFile) };
  }
  const folder = stateFolder ?? defaultStateFolder(environment);
  const file = await readClusterFile(folder);
  if (file === null) {
    throw new OperationError({
      code: 'cluster.not-running',
      message: `there is no cluster in ${folder}; start one with \`skein up\`, or name another one with SKEIN_STATE or SKEIN_URL`,
    });
  }
  if (file.apiUrl === null) {
    throw new OperationError({
      code: 'coordinator.unreachable',
      message: `the cluster in ${folder} is not up: \`skein up\` has not finished (${clusterFilePath(folder)})`,
    });
  }
  return { url: file.apiUrl, token: await readTokenFile(file.apiTokenFile) };
}

function checkedUrl(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : null;
  if (url === null || (url.protocol !== 'http:' && url.protocol !== 'https:')) {
    throw usageError(`SKEIN_URL is ${text}; it must be a URL such as http://127.77.1.1:8080`);
  }
  return text.replace(/\/+$/, '');
}
