/** The containers of a cluster that `docker compose up` started, found by the labels that compose gives them. */
import { type NetworkKind, NetworkKind as NetworkKindSchema, OperationError } from '@skein/shared';
import { z } from 'zod';
import { docker } from './docker.ts';

/** What `docker inspect` says, as far as it is needed here. */
const Inspected = z.object({
  Id: z.string(),
  Name: z.string(),
  Config: z.object({ Hostname: z.string(), Labels: z.record(z.string(), z.string()), Image: z.string() }),
  State: z.object({ Running: z.boolean(), Paused: z.boolean(), Pid: z.int() }),
  NetworkSettings: z.object({
    Networks: z.record(z.string(), z.object({ IPAddress: z.string() })),
    Ports: z.record(z.string(), z.array(z.object({ HostIp: z.string(), HostPort: z.string() })).nullable()),
  }),
});

export interface ClusterContainer {
  readonly id: string;
  /** `skein-h1-1` */
  readonly containerName: string;
  /** A host's name, `coordinator` or `storage`. */
  readonly program: string;
  readonly image: string;
  readonly isRunning: boolean;
  readonly isPaused: boolean;
  /** Its address on each of the cluster's networks to which it is connected. */
  readonly addresses: ReadonlyMap<NetworkKind, string>;
  /** Published ports: container's to `127.0.0.1:7100`. */
  readonly published: ReadonlyMap<number, string>;
}

/** `$SKEIN_PROJECT`, else the name in our compose file. */
export function projectName(environment: NodeJS.ProcessEnv = process.env): string {
  const given = environment.SKEIN_PROJECT ?? '';
  return given === '' ? 'skein' : given;
}

/** Empty when there is none. @throws OperationError bed.unavailable */
export async function clusterContainers(project: string): Promise<readonly ClusterContainer[]> {
  const label = `label=com.docker.compose.project=${project}`;
  // Images that compose builds carry the project as well, and give it to whatever else is run from them; not a number.
  const filters = ['--filter', label, '--filter', 'label=com.docker.compose.container-number'];
  const ids = (await docker('ps', '--all', '--quiet', '--no-trunc', ...filters)).split('\n');
  const found = ids.filter((id) => id !== '');
  if (found.length === 0) return [];
  const parsed = z.array(Inspected).safeParse(JSON.parse(await docker('inspect', ...found)));
  if (parsed.success) return parsed.data.filter(isOurs).map((one) => toContainer(one, project));
  const message = `docker inspect answers in a form that this version does not know: ${z.prettifyError(parsed.error)}`;
  throw new OperationError({ code: 'bed.unavailable', message });
}

/** What watches the cluster is no part of it: nothing there is to be cut or killed, and no host. */
const watchers: ReadonlySet<string> = new Set(['prometheus', 'grafana']);

function isOurs({ Config }: z.infer<typeof Inspected>): boolean {
  return !watchers.has(Config.Labels['com.docker.compose.service'] ?? '');
}

function toContainer(inspected: z.infer<typeof Inspected>, project: string): ClusterContainer {
  const { Config, State, NetworkSettings } = inspected;
  const service = Config.Labels['com.docker.compose.service'] ?? '';
  const isHost = service !== 'coordinator' && service !== 'storage';
  const addresses = new Map<NetworkKind, string>();
  for (const [name, { IPAddress }] of Object.entries(NetworkSettings.Networks)) {
    const kind = NetworkKindSchema.safeParse(name.replace(`${project}_`, ''));
    if (kind.success && IPAddress !== '') addresses.set(kind.data, IPAddress);
  }
  const published = new Map<number, string>();
  for (const [port, bindings] of Object.entries(NetworkSettings.Ports)) {
    const binding = bindings?.[0];
    if (binding !== undefined)
      published.set(Number.parseInt(port, 10), `${binding.HostIp}:${binding.HostPort}`);
  }
  return {
    id: inspected.Id,
    containerName: inspected.Name.replace(/^\//, ''),
    program: isHost ? Config.Hostname : service,
    image: Config.Image,
    isRunning: State.Running,
    isPaused: State.Paused,
    addresses,
    published,
  };
}
