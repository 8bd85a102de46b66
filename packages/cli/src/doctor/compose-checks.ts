/** What our compose file wants of this machine, in its own words (`docker compose config`): ports and subnets. */
import { createServer } from 'node:net';
import { networkInterfaces } from 'node:os';
import { resolve } from 'node:path';
import { networkKinds, overlap } from '@skein/shared';
import { z } from 'zod';
import { clusterContainers, projectName } from '../bed/compose-project.ts';
import { docker } from '../bed/docker.ts';
import { firstLine, outputOf } from './command-output.ts';
import { type Finding, good, missing } from './finding.ts';
import { portOwner } from './port-owner.ts';

const containers = ['containers'] as const;
const composeFile = resolve(import.meta.dirname, '../../../../compose.yaml');

const ComposeConfig = z.object({
  networks: z.record(
    z.string(),
    z.object({ ipam: z.object({ config: z.array(z.object({ subnet: z.string() })) }) }),
  ),
  services: z.record(
    z.string(),
    z.object({ ports: z.array(z.object({ host_ip: z.string(), published: z.string() })).optional() }),
  ),
});
type ComposeConfig = z.infer<typeof ComposeConfig>;

const EngineNetworks = z.array(
  z.object({
    Name: z.string(),
    IPAM: z.object({ Config: z.array(z.object({ Subnet: z.string().optional() })).nullable() }),
    Options: z.record(z.string(), z.string()).nullable(),
    Id: z.string(),
    Labels: z.record(z.string(), z.string()).nullable(),
  }),
);

/** A range of addresses that is somebody's. */
interface Occupied {
  readonly by: string;
  readonly subnet: string;
}

export async function checkComposeFile(): Promise<readonly Finding[]> {
  const output = await outputOf('docker', 'compose', '--file', composeFile, 'config', '--format', 'json');
  if (output.kind === 'failed') return [invalid(output.words)];
  if (output.kind !== 'printed') return [invalid('docker compose config does not answer')];
  const config = ComposeConfig.safeParse(JSON.parse(output.text));
  if (!config.success) return [invalid(firstLine(z.prettifyError(config.error)))];
  return await Promise.all([checkPorts(config.data), checkSubnets(config.data)]);
}

function invalid(words: string): Finding {
  return missing('compose file', containers, words, 'correct the SKEIN_* variables that it takes');
}

async function checkPorts(config: ComposeConfig): Promise<Finding> {
  const name = 'published ports';
  const wanted = Object.values(config.services).flatMap(({ ports = [] }) => ports);
  const ours = await publishedByOurs();
  const taken: string[] = [];
  for (const { host_ip, published } of wanted) {
    const place = `${host_ip}:${published}`;
    if (ours.has(place) || (await isFree(host_ip, Number(published)))) continue;
    const owner = await portOwner(Number(published));
    taken.push(owner === null ? place : `${place} (by ${owner})`);
  }
  const all = wanted.map(({ host_ip, published }) => `${host_ip}:${published}`).join(', ');
  if (taken.length === 0)
    return good(name, containers, ours.size > 0 ? `${all}: this cluster's` : `${all} are free`);
  const advice =
    'end that program, or choose others: SKEIN_API_PORT=7300 SKEIN_CONSOLE_PORT=7302 docker compose up --wait';
  return missing(name, containers, `in use: ${taken.join(', ')}`, advice);
}

/** Those of the cluster that runs already, if one does. */
async function publishedByOurs(): Promise<ReadonlySet<string>> {
  const running = await clusterContainers(projectName()).catch(() => []);
  return new Set(running.flatMap(({ published }) => [...published.values()]));
}

async function checkSubnets(config: ComposeConfig): Promise<Finding> {
  const name = 'subnets';
  const occupied = await occupiedByOthers();
  const wanted = networkKinds.flatMap((network) =>
    (config.networks[network]?.ipam.config ?? []).map(({ subnet }) => ({
      by: `our network ${network}`,
      network,
      subnet,
    })),
  );
  const clashes = wanted.flatMap(({ network, subnet }, index) =>
    [...occupied, ...wanted.slice(0, index)]
      .filter((other) => overlap(subnet, other.subnet))
      .map(({ by, subnet: theirs }) => `${subnet} of ${network} overlaps ${theirs} of ${by}`),
  );
  if (clashes.length === 0) {
    return good(name, containers, `${wanted.map(({ subnet }) => subnet).join(', ')}: nobody else's`);
  }
  const advice = 'choose others, such as SKEIN_SUBNET_MIGRATION=172.30.2.0/24 docker compose up --wait';
  return missing(name, containers, clashes.join('; '), advice);
}

/** By Docker's networks of other projects, and by interfaces that are not Docker's. */
async function occupiedByOthers(): Promise<readonly Occupied[]> {
  const networks = await engineNetworks();
  const bridges = new Set(networks.flatMap(bridgesOf));
  const others = networks.filter(({ Labels }) => Labels?.['com.docker.compose.project'] !== projectName());
  return [
    ...others.flatMap(({ Name, IPAM }) =>
      (IPAM.Config ?? []).flatMap(({ Subnet }) =>
        Subnet?.includes('.') === true ? [{ by: `Docker's network ${Name}`, subnet: Subnet }] : [],
      ),
    ),
    ...Object.entries(networkInterfaces()).flatMap(([device, addresses]) =>
      (addresses ?? []).flatMap(({ family, cidr }) =>
        family === 'IPv4' && cidr !== null && !bridges.has(device)
          ? [{ by: `interface ${device}`, subnet: cidr }]
          : [],
      ),
    ),
  ];
}

async function engineNetworks(): Promise<z.infer<typeof EngineNetworks>> {
  try {
    const ids = (await docker('network', 'ls', '--quiet', '--no-trunc'))
      .split('\n')
      .filter((id) => id !== '');
    return EngineNetworks.parse(JSON.parse(await docker('network', 'inspect', ...ids)));
  } catch {
    return []; // The engine does not answer: that is another check's finding.
  }
}

/** Docker names a network's bridge after its id unless told otherwise. */
function bridgesOf({ Id, Options }: z.infer<typeof EngineNetworks>[number]): string[] {
  return [Options?.['com.docker.network.bridge.name'] ?? `br-${Id.slice(0, 12)}`];
}

function isFree(host: string, port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen({ host, port, exclusive: true }, () => server.close(() => resolve(true)));
  });
}
