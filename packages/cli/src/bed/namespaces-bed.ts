/** A cluster of `skein up --bed namespaces`: programs are processes, and networks are reached in their namespaces. */
import { type HostName, networkKinds, OperationError } from '@skein/shared';
import { z } from 'zod';
import { isRunning } from '../cluster/process.ts';
import type { ClusterFile } from '../cluster/state-folder.ts';
import { outsideOf, type Station, stationsOf } from '../namespaces/cable-plan.ts';
import { Namespaces } from '../namespaces/namespaces.ts';
import type { Bed, Cable, NetworkBed, NetworkCommand, ProgramName } from './bed.ts';
import { Programs } from './programs.ts';
import { shellScript } from './shell-script.ts';

/** What `ip -json address show` says, as far as it is needed here. */
const ShownAddresses = z.array(
  z.object({ ifname: z.string(), addr_info: z.array(z.object({ local: z.string().optional() })) }),
);

export class NamespacesBed implements Bed {
  readonly kind = 'namespaces';
  readonly #file: ClusterFile;
  readonly #programs: Programs;

  constructor(stateFolder: string, file: ClusterFile) {
    this.#file = file;
    this.#programs = new Programs(stateFolder, file, (program) => this.#renew(program));
  }

  kill(program: ProgramName): Promise<void> {
    return this.#programs.kill(program);
  }

  pause(program: ProgramName): Promise<void> {
    return this.#programs.pause(program);
  }

  resume(program: ProgramName): Promise<void> {
    return this.#programs.resume(program);
  }

  networks(): NetworkBed {
    return {
      hosts: async () => (await this.#programs.runningHosts()).map(({ name }) => name).sort(),
      cables: (host) => this.#cables(host),
      inHost: async (host, commands) => {
        await this.#programs.running(host);
        return await (await this.#namespaces()).inProgram(host, script(commands));
      },
      inNetworks: async (commands) => await (await this.#namespaces()).inNetworks(script(commands)),
    };
  }

  async #cables(host: HostName): Promise<Cable[]> {
    const station = this.#station(host);
    const shown = await this.networks().inHost(host, [['ip', '-json', '-4', 'address', 'show']]);
    const interfaces = ShownAddresses.parse(JSON.parse(shown));
    return networkKinds.flatMap((network) => {
      const address = interfaces.find(({ ifname }) => ifname === network)?.addr_info[0]?.local;
      if (address === undefined) return [];
      return [{ host, network, address, inside: network, outside: outsideOf(network, station) }];
    });
  }

  /** As in containers, a program that is started again has new cables. */
  async #renew(program: ProgramName): Promise<readonly string[]> {
    const namespaces = await this.#namespaces();
    await namespaces.renew(this.#station(program));
    return namespaces.wordsBefore(program);
  }

  #station(program: ProgramName): Station {
    const hosts = this.#file.processes.filter(({ role }) => role === 'agent').map(({ name }) => name);
    const found = stationsOf(hosts).find((station) => station.program === program);
    if (found !== undefined) return found;
    throw new OperationError({
      code: 'host.not-found',
      message: `there is no host ${program} in this cluster; there are ${hosts.join(', ')}`,
    });
  }

  async #namespaces(): Promise<Namespaces> {
    const gateway = this.#file.processes.find(({ role }) => role === 'gateway');
    if (gateway !== undefined && (await isRunning(gateway))) return await Namespaces.of(gateway.pid);
    throw new OperationError({
      code: 'bed.unavailable',
      message:
        'the networks of this cluster are gone with its gateway: end it with `skein down`, and start again',
    });
  }
}

function script(commands: readonly NetworkCommand[]): readonly string[] {
  return ['sh', '-c', shellScript(commands)];
}
