/**
 * Where agents come to: one listener for both of their links, `agent` (orchestration) and `agent-heartbeat`.
 * What they say goes to the inventory; a link speaks only for the host whose name it has proven.
 */
import {
  type AgentStatus,
  agentCoordinatorProtocol,
  type ClusterView,
  type ConsoleOutput,
  type HostIdentity,
  type HostName,
  type MigrationProgress,
  type MigrationRecord,
  OperationError,
} from '@skein/shared';
import {
  type Authentication,
  type Identity,
  type Link,
  type Listener,
  listen,
  type ReplyOf,
  type RequestInput,
} from '@skein/transport';
import type { Logger } from 'pino';
import type { AgentCommandName, AgentCommands } from '../env.ts';
import type { World } from '../world.ts';

export type AgentLink = Link<typeof agentCoordinatorProtocol, 'listener'>;

export interface AgentSessionsOptions {
  readonly address: string;
  readonly port: number;
  readonly own: Identity;
  readonly authentication: Authentication;
  readonly world: World;
  readonly nowMs: () => number;
  readonly log: Logger;
  readonly view: () => ClusterView;
  readonly onLinkClosed: (host: HostName) => void;
  readonly onMigrationEnded: (host: HostName, side: 'source' | 'target', record: MigrationRecord) => void;
  readonly onMigrationProgress: (host: HostName, progress: MigrationProgress) => void;
  readonly onConsole: (host: HostName, output: ConsoleOutput) => void;
  /** `sinceMs`: since the one before, of the same process. */
  readonly onHeartbeat: (host: HostName, sinceMs: number) => void;
}

/** A status of 4,096 VMs fits. */
const maxPayloadBytes = 4 << 20;
export class AgentSessions {
  readonly #options: AgentSessionsOptions;
  /** When each heartbeat link was opened: its handshake was a round trip too. */
  readonly #openedAtMs = new WeakMap<AgentLink, number>();
  #listener: Listener<typeof agentCoordinatorProtocol> | null = null;

  private constructor(options: AgentSessionsOptions) {
    this.#options = options;
  }

  /** @throws OperationError address.in-use, address.unavailable */
  static async start(options: AgentSessionsOptions): Promise<AgentSessions> {
    const sessions = new AgentSessions(options);
    sessions.#listener = await sessions.#listen();
    return sessions;
  }

  get port(): number {
    return this.#listener?.port ?? 0;
  }

  async close(): Promise<void> {
    await this.#listener?.close();
  }

  /** @throws OperationError what the agent answered; link.closed, link.timeout */
  async command<N extends AgentCommandName>(
    host: HostName,
    name: N,
    body: RequestInput<AgentCommands, N>,
    deadlineMs: number,
  ): Promise<ReplyOf<AgentCommands, N>> {
    const link = this.#options.world.hosts.get(host)?.link ?? null;
    if (link === null) {
      throw new OperationError({ code: 'link.closed', message: `${host} has no connection at present` });
    }
    return link.request(name, body, { deadlineMs });
  }

  sendView(view: ClusterView): void {
    for (const { link } of this.#options.world.hosts.values()) link?.notify('cluster.view', view);
  }

  sendConsoleInput(host: HostName, vm: string, bytes: Uint8Array): void {
    this.#options.world.hosts.get(host)?.link?.notify('console.input', { vm, bytes });
  }

  #listen(): Promise<Listener<typeof agentCoordinatorProtocol>> {
    const options = this.#options;
    return listen({
      host: options.address,
      port: options.port,
      protocol: agentCoordinatorProtocol,
      own: options.own,
      authentication: options.authentication,
      maxPayloadBytes,
      onLink: (link) => this.#linkOpened(link),
      onRejected: (reason, address) => options.log.warn({ ...reason, address }, 'agent rejected'),
      handlers: {
        requests: {
          'agent.register': ({ identity, status }, link) => this.#register(identity, status, link),
          heartbeat: ({ host, bootId, sequence, echo }, link) => {
            refuseOtherHost(link, host, bootId);
            return this.#heartbeat(link, sequence, echo);
          },
          'host.network-changes': ({ changes }, link) => {
            options.world.networksChanged(this.#registered(link), changes);
            return {};
          },
          'migration.ended': ({ side, record }, link) => {
            options.onMigrationEnded(this.#registered(link), side, record);
            return {};
          },
        },
        notices: {
          'agent.status': (status, link) => {
            options.world.setStatus(options.world.host(this.#registered(link)), status);
          },
          'migration.progress': (progress, link) =>
            options.onMigrationProgress(this.#registered(link), progress),
          'console.output': (output, link) => options.onConsole(this.#registered(link), output),
        },
      },
    });
  }

  #linkOpened(link: AgentLink): void {
    const { name, role } = link.peer;
    const { world, log, nowMs } = this.#options;
    this.#openedAtMs.set(link, nowMs());
    void link.closed.then(({ code, message }) => {
      log.info({ host: name, role, code, message }, 'agent link ended');
      if (role !== 'agent') return;
      world.linkClosed(name, link);
      this.#options.onLinkClosed(name);
    });
  }

  #register(identity: HostIdentity, status: AgentStatus, link: AgentLink): { view: ClusterView } {
    refuseOtherHost(link, identity.name, identity.bootId);
    if (link.peer.role !== 'agent') {
      throw new OperationError({
        code: 'link.bad-message',
        message: 'a heartbeat link cannot register a host',
      });
    }
    const { world, log, view } = this.#options;
    world.register(identity, status, link);
    log.info({ host: identity.name, bootId: identity.bootId, vms: status.vms.length }, 'agent registered');
    return { view: view() };
  }

  #heartbeat(link: AgentLink, sequence: number, echo: number) {
    const { world, nowMs } = this.#options;
    const { name, bootId } = link.peer;
    const atMs = nowMs();
    const lease = world.hosts.get(name)?.lease;
    const beforeMs = lease?.heardAtMs ?? null;
    const granted =
      lease?.hear({ bootId, sequence, echo }, this.#openedAtMs.get(link) ?? atMs, atMs) ?? false;
    if (beforeMs !== null) this.#options.onHeartbeat(name, atMs - beforeMs);
    return { sequence, granted, ttlMs: granted ? world.timing.hostLeaseTtlMs : 0 };
  }

  /** @throws OperationError link.bad-message */
  #registered(link: AgentLink): HostName {
    const { name } = link.peer;
    if (this.#options.world.hosts.get(name)?.link === link) return name;
    throw new OperationError({
      code: 'link.bad-message',
      message: `${name} has not registered on this link`,
    });
  }
}

function refuseOtherHost(link: AgentLink, host: HostName, bootId: string): void {
  if (link.peer.name === host && link.peer.bootId === bootId) return;
  throw new OperationError({
    code: 'link.bad-message',
    message: `the link of ${link.peer.name} spoke for ${host}`,
  });
}
