/**
 * How a command finds its cluster: `SKEIN_URL` with `SKEIN_TOKEN_FILE`, else the cluster that `skein up` started in the
 * state folder, else the one in containers.
 */
import { OperationError } from '@skein/shared';
import { readTokenFile } from '@skein/transport';
import { clusterContainers } from '../bed/compose-project.ts';
import { docker } from '../bed/docker.ts';
import { meantCluster } from '../bed/find-bed.ts';
import { clusterFilePath, noCluster } from '../cluster/state-folder.ts';
import { usageError } from '../failure.ts';

/** Where the API is, and what proves the right to use it. */
export interface ApiAccess {
  /** Without a slash at its end. */
  readonly url: string;
  readonly token: Uint8Array;
}

export interface ClusterAccess extends ApiAccess {
  /** Its hosts take guest images from this machine's cache. */
  readonly usesOwnImages: boolean;
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
    return { url: checkedUrl(url), token: await readTokenFile(tokenFile), usesOwnImages: false };
  }
  const meant = await meantCluster(stateFolder, environment);
  const { folder } = meant;
  const inContainers = meant.kind === 'containers' ? await findInContainers(meant.project) : null;
  if (inContainers !== null) return inContainers;
  const file = meant.kind === 'folder' ? meant.file : null;
  if (file === null) throw noCluster(folder);
  if (file.apiUrl === null) {
    throw new OperationError({
      code: 'coordinator.unreachable',
      message: `the cluster in ${folder} is not up: \`skein up\` has not finished (${clusterFilePath(folder)})`,
    });
  }
  return { url: file.apiUrl, token: await readTokenFile(file.apiTokenFile), usesOwnImages: true };
}

const apiPortDefault = 7100;
const apiTokenPath = '/var/lib/skein/api.token';

/**
 * The compose project's coordinator by the port it publishes on loopback. The token is read where it is kept and goes
 * nowhere else. Null without docker, or without such a container.
 */
async function findInContainers(project: string): Promise<ClusterAccess | null> {
  const containers = await clusterContainers(project).catch(() => []);
  const coordinator = containers.find(({ program }) => program === 'coordinator');
  if (coordinator === undefined) return null;
  if (!coordinator.isRunning) {
    const message = `the coordinator's container ${coordinator.containerName} does not run; start it with: docker start ${coordinator.containerName}`;
    throw new OperationError({ code: 'coordinator.unreachable', message });
  }
  const published = coordinator.published.get(apiPortDefault) ?? [...coordinator.published.values()][0];
  if (published === undefined) {
    const message = `${coordinator.containerName} publishes no port: set SKEIN_URL and SKEIN_TOKEN_FILE`;
    throw new OperationError({ code: 'coordinator.unreachable', message });
  }
  const token = (await docker('exec', coordinator.id, 'cat', apiTokenPath)).trim();
  if (!/^[0-9a-f]{64}$/.test(token)) {
    const message = `${apiTokenPath} in ${coordinator.containerName} holds no token`;
    throw new OperationError({ code: 'config.invalid', message });
  }
  return {
    url: `http://${published}`,
    token: new Uint8Array(Buffer.from(token, 'hex')),
    usesOwnImages: false,
  };
}

function checkedUrl(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : null;
  if (url === null || (url.protocol !== 'http:' && url.protocol !== 'https:')) {
    throw usageError(`SKEIN_URL is ${text}; it must be a URL such as http://127.77.1.1:8080`);
  }
  return text.replace(/\/+$/, '');
}
