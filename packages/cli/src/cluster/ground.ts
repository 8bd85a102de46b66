/** What a cluster that is being launched stands on: where its programs run, and what has to be made for them first. */
import { OperationError } from '@skein/shared';
import { namespaceAddresses, stationsOf } from '../namespaces/cable-plan.ts';
import type { GatewayConfig } from '../namespaces/gateway-config.ts';
import { Namespaces, wordsBeforeGateway } from '../namespaces/namespaces.ts';
import { PublishedPorts } from '../namespaces/published-ports.ts';
import { type ClusterAddresses, coordinatorAddresses, findFreeAddresses } from './addresses.ts';
import { portNumbers } from './configuration.ts';
import type { StartedProcess } from './process.ts';
import type { BedKind } from './state-folder.ts';

/** Starts the process that keeps the ground, and puts it on record. */
export type StartGateway = (config: GatewayConfig, wordsBefore: readonly string[]) => Promise<StartedProcess>;

export interface Ground {
  readonly bed: BedKind;
  readonly addresses: ClusterAddresses;
  /** Where this machine's programs reach the coordinator. */
  readonly apiAddress: string;
  /** @throws OperationError bed.unavailable */
  prepare(startGateway: StartGateway): Promise<void>;
  /** What goes before a program's own command line, so that it runs where it belongs. */
  wordsBefore(program: string): readonly string[];
  /** Lets go of what was taken before the launch; the cluster's own processes have it by then. */
  release(): void;
}

/**
 * `startAt` spreads clusters that start at the same time over the machine's loopback addresses.
 * @throws OperationError address.unavailable
 */
export async function chooseGround(
  bed: BedKind,
  hostNames: readonly string[],
  startAt: number,
): Promise<Ground> {
  if (bed === 'namespaces') {
    const published = [portNumbers.api, portNumbers.clients];
    return new NamespaceGround(
      hostNames,
      await PublishedPorts.listen(coordinatorAddresses(startAt), published),
    );
  }
  const addresses = await findFreeAddresses(hostNames.length, startAt);
  return {
    bed,
    addresses,
    apiAddress: addresses.coordinator.management,
    prepare: async () => {},
    wordsBefore: () => [],
    release: () => {},
  };
}

class NamespaceGround implements Ground {
  readonly bed = 'namespaces';
  readonly addresses: ClusterAddresses;
  readonly apiAddress: string;
  readonly #hostNames: readonly string[];
  readonly #ports: PublishedPorts;
  #namespaces: Namespaces | null = null;

  constructor(hostNames: readonly string[], ports: PublishedPorts) {
    this.addresses = namespaceAddresses(hostNames.length);
    this.apiAddress = ports.address;
    this.#hostNames = hostNames;
    this.#ports = ports;
  }

  async prepare(startGateway: StartGateway): Promise<void> {
    const config = { address: this.addresses.coordinator.management, ports: [...this.#ports.numbers] };
    const gateway = await startGateway(config, await wordsBeforeGateway());
    await this.#ports.handTo(gateway.child).catch(() => {
      // It has ended, and says below why.
    });
    await gateway.ready().catch(explain);
    this.#namespaces = await Namespaces.of(gateway.pid);
    await this.#namespaces.make(stationsOf(this.#hostNames));
  }

  wordsBefore(program: string): readonly string[] {
    return this.#namespaces?.wordsBefore(program) ?? [];
  }

  release(): void {
    this.#ports.close();
  }
}

function explain(cause: OperationError): never {
  if (!cause.message.includes('unshare')) throw cause;
  const message =
    `network namespaces cannot be made: ${cause.message}; where the kernel forbids them to ordinary users (sysctl ` +
    'user.max_user_namespaces, kernel.unprivileged_userns_clone, kernel.apparmor_restrict_unprivileged_userns), run ' +
    'skein as root, or start without --bed namespaces';
  throw new OperationError({ code: 'bed.unavailable', message, cause });
}
