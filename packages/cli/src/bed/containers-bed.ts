/**
 * A cluster under `docker compose up`. Programs are killed and paused as containers are. What concerns networks runs in
 * a container of our own, from the cluster's image, that joins a host's network namespace for as long as it takes: the
 * hosts themselves have no capability, and their programs cannot gain one.
 */
import { type HostName, OperationError } from '@skein/shared';
import type { Bed, Cable, NetworkBed, NetworkCommand, ProgramName } from './bed.ts';
import { type ClusterContainer, clusterContainers } from './compose-project.ts';
import { docker } from './docker.ts';
import { shellScript } from './shell-script.ts';

export class ContainersBed implements Bed {
  readonly kind = 'containers';
  readonly #project: string;

  constructor(project: string) {
    this.#project = project;
  }

  async kill(program: ProgramName): Promise<void> {
    await docker('kill', (await this.#running(program)).id);
  }

  async pause(program: ProgramName): Promise<void> {
    await docker('pause', (await this.#running(program)).id);
  }

  async resume(program: ProgramName): Promise<void> {
    const container = await this.#find(program);
    await docker(container.isPaused ? 'unpause' : 'start', container.id);
  }

  networks(): NetworkBed {
    return {
      hosts: () => this.#hosts(),
      cables: (host) => this.#cables(host),
      inHost: async (host, commands) =>
        this.#enter(`container:${(await this.#running(host)).id}`, host, commands),
      inNetworks: (commands) => this.#enter('host', null, commands),
    };
  }

  async #hosts(): Promise<HostName[]> {
    const containers = await clusterContainers(this.#project);
    if (containers.length === 0) throw noContainers(this.#project);
    const isHost = ({ program, isRunning }: ClusterContainer): boolean =>
      isRunning && program !== 'coordinator' && program !== 'storage';
    return containers
      .filter(isHost)
      .map(({ program }) => program)
      .sort();
  }

  async #cables(host: HostName): Promise<Cable[]> {
    const { addresses } = await this.#running(host);
    const inHost = await this.networks().inHost(host, [
      ['ip', '-o', '-4', 'address', 'show'],
      [
        'sh',
        '-c',
        'for link in /sys/class/net/*; do echo "link $(basename $link) $(cat $link/iflink)"; done',
      ],
    ]);
    const outside = await this.networks().inNetworks([['ip', '-o', 'link', 'show']]);
    return [...addresses].flatMap(([network, address]) => {
      const inside = interfaceWith(inHost, address);
      const index = new RegExp(`^link ${inside} (\\d+)$`, 'm').exec(inHost)?.[1];
      const peer = new RegExp(`^${index}: ([^:@]+)`, 'm').exec(outside)?.[1];
      if (inside === null || peer === undefined) return [];
      return [{ host, network, address, inside, outside: peer }];
    });
  }

  /** NET_ADMIN and NET_RAW are what tc, ip and iptables need; everything else stays out. */
  async #enter(network: string, host: HostName | null, commands: readonly NetworkCommand[]): Promise<string> {
    if (commands.length === 0) return '';
    const { image } = host === null ? await this.#any() : await this.#running(host);
    const limits = ['--read-only', '--tmpfs', '/run', '--cap-drop', 'ALL', '--user', '0:0'];
    const rights = ['--cap-add', 'NET_ADMIN', '--cap-add', 'NET_RAW'];
    const run = ['run', '--rm', '--pull', 'never', '--network', network, ...limits, ...rights];
    return await docker(...run, '--entrypoint', 'sh', image, '-c', shellScript(commands));
  }

  async #any(): Promise<ClusterContainer> {
    const [first] = await clusterContainers(this.#project);
    if (first !== undefined) return first;
    throw noContainers(this.#project);
  }

  async #running(program: ProgramName): Promise<ClusterContainer> {
    const container = await this.#find(program);
    if (container.isRunning) return container;
    throw new OperationError({
      code: 'host.wrong-state',
      message: `${program} does not run; start it with: skein fault resume ${program}`,
    });
  }

  async #find(program: ProgramName): Promise<ClusterContainer> {
    const containers = await clusterContainers(this.#project);
    if (containers.length === 0) throw noContainers(this.#project);
    const found = containers.find((one) => one.program === program);
    if (found !== undefined) return found;
    const known = containers.map((one) => one.program).sort();
    throw new OperationError({
      code: 'host.not-found',
      message: `there is no ${program} in the compose project ${this.#project}; there are ${known.join(', ')}`,
    });
  }
}

function interfaceWith(text: string, address: string): string | null {
  const pattern = new RegExp(`^\\d+: (\\S+) +inet ${address.replaceAll('.', '\\.')}/`, 'm');
  return pattern.exec(text)?.[1] ?? null;
}

function noContainers(project: string): OperationError {
  return new OperationError({
    code: 'bed.unavailable',
    message: `there is no container of the compose project ${project}; start it with: docker compose up --wait`,
  });
}
