/**
 * A host agent for tests of the coordinator: it speaks the real protocol over real links and keeps leases, but its
 * guests are rows in a table. What it was told is on record; what it answers can be changed by the test.
 */
import { randomBytes } from 'node:crypto';
import {
  type AgentStatus,
  agentCoordinatorProtocol,
  type ClusterView,
  type HostIdentity,
  type MigrationRecord,
  type NetworkChange,
  OperationError,
  type SilentPeer,
  type Timing,
  type VmId,
  type VmReport,
  type VmRunState,
} from '@skein/shared';
import { dial, KeptLink, type Link } from '@skein/transport';
import type { ScriptedStorage } from './scripted-storage.ts';

type AgentLink = Link<typeof agentCoordinatorProtocol, 'dialer'>;

export interface ScriptedAgentOptions {
  readonly name: string;
  readonly number: number;
  readonly agentPort: number;
  readonly storage: ScriptedStorage;
  readonly timing: Timing;
  readonly memoryMib?: number;
}

export interface Told {
  readonly command: string;
  readonly body: unknown;
}

/** The real one's is a second. */
const statusPeriodMs = 200;

export class ScriptedAgent {
  readonly options: ScriptedAgentOptions;
  readonly identity: HostIdentity;
  readonly vms = new Map<VmId, VmReport>();
  readonly told: Told[] = [];
  view: ClusterView | null = null;
  /** Throw to refuse; never resolve to hang. Called before anything is done. */
  before: (command: string, body: unknown) => Promise<void> | void = () => {};
  inputs = '';
  /** As a migration's target: it was ready, and lost its source. */
  isAwaitingLease = false;
  /** Whom it says it does not hear. */
  silentPeers: SilentPeer[] = [];
  readonly #operations = new Map<string, Promise<unknown>>();
  readonly #heartbeats: KeptLink<typeof agentCoordinatorProtocol>;
  readonly #main: KeptLink<typeof agentCoordinatorProtocol>;
  readonly #timers: NodeJS.Timeout[] = [];
  #sequence = 0;
  #echo = 0;

  constructor(options: ScriptedAgentOptions) {
    this.options = options;
    const { name, number } = options;
    this.identity = {
      name,
      bootId: randomBytes(16).toString('hex'),
      pid: 1000 + number,
      capacity: { cpuMhz: 1000, memoryMib: options.memoryMib ?? 1024 },
      addresses: { management: '127.0.0.1', migration: `127.0.2.${number}`, 'guest-a': `127.0.6.${number}` },
      peerPorts: { migration: 9000 + number, 'guest-a': 9000 + number },
      vxlanPort: 4789,
      metricsPort: 7130,
      machineVersion: 1,
    };
    this.#main = this.#keep('agent', (link) => void this.#register(link));
    this.#heartbeats = this.#keep('agent-heartbeat', () => {});
    const { heartbeatPeriodMs, vmLeaseRenewMs } = options.timing;
    this.#timers.push(setInterval(() => void this.#beat(), heartbeatPeriodMs));
    this.#timers.push(setInterval(() => this.#renew(), vmLeaseRenewMs));
    this.#timers.push(setInterval(() => this.sendStatus(), statusPeriodMs));
  }

  get name(): string {
    return this.identity.name;
  }

  commands(name: string): Told[] {
    return this.told.filter(({ command }) => command === name);
  }

  /** SIGKILL: links are reset, nothing is renewed any more. */
  kill(): void {
    for (const timer of this.#timers) clearInterval(timer);
    this.#main.close();
    this.#heartbeats.close();
  }

  set(vm: VmId, change: Partial<VmReport>): void {
    const report = this.vms.get(vm);
    if (report === undefined) throw new Error(`${this.name} has no ${vm}`);
    this.vms.set(vm, { ...report, ...change });
    this.sendStatus();
  }

  /** The guest, or the agent, ends it. */
  end(vm: VmId, reason: string): void {
    this.options.storage.release(vm, this.name);
    this.set(vm, { state: 'stopped', reason });
  }

  put(vm: VmId, name: string, epoch: number, state: VmRunState): void {
    this.vms.set(vm, {
      vm,
      name,
      epoch,
      state,
      reason: null,
      steps: 1,
      usedMhz: 1,
      firstStepMs: 5,
      readyMs: state === 'running' ? 10 : null,
      startedFrom: 'kernel',
      kernel: '6.0-test',
      missingPages: 0,
    });
    this.sendStatus();
  }

  /** Says of itself that it does not hear those peers on the migration network. */
  missesOnMigration(...peers: readonly string[]): void {
    this.silentPeers = peers.map((host) => ({ host, network: 'migration', silentMs: 2000 }));
    this.sendStatus();
  }

  async networksChanged(...changes: NetworkChange[]): Promise<void> {
    await this.#main.get().request('host.network-changes', { changes }, { deadlineMs: 2000 });
  }

  sendStatus(): void {
    this.#main.link?.notify('agent.status', this.status());
  }

  status(): AgentStatus {
    return { vms: [...this.vms.values()], silentPeers: this.silentPeers, usedMhz: 1, usedMemoryMib: 0 };
  }

  console(vm: VmId, position: number, text: string): void {
    this.#main.link?.notify('console.output', { vm, position, bytes: new Uint8Array(Buffer.from(text)) });
  }

  async migrationEnded(side: 'source' | 'target', record: MigrationRecord): Promise<void> {
    await this.#main.get().request('migration.ended', { side, record }, { deadlineMs: 2000 });
  }

  #keep(role: string, onLink: (link: AgentLink) => void): KeptLink<typeof agentCoordinatorProtocol> {
    const { agentPort: port } = this.options;
    return new KeptLink({
      host: '127.0.0.1',
      port,
      protocol: agentCoordinatorProtocol,
      own: { role, name: this.options.name, bootId: this.identity.bootId },
      authentication: { kind: 'none' },
      pauseMsMax: 50,
      handlers: {
        requests: {
          'vm.start': (body) =>
            this.#once('vm.start', body.operation, body, () => {
              const epoch = this.options.storage.acquire(body.vm, this.name, body.expectEpoch);
              this.put(body.vm, body.name, epoch, 'running');
              return { epoch };
            }),
          'vm.stop': (body) =>
            this.#once('vm.stop', body.operation, body, () => {
              if (this.vms.get(body.vm)?.epoch !== body.epoch) throw notHere(body.vm);
              this.end(body.vm, 'powered off on request');
              return {};
            }),
          'migration.source': (body) =>
            this.#once('migration.source', body.operation, body, () => ({
              address: '127.0.2.1',
              port: 5000,
            })),
          'migration.target': (body) => this.#once('migration.target', body.operation, body, () => ({})),
          'migration.cancel': async (body) => {
            await this.#tell('migration.cancel', body);
            return {};
          },
          'migration.source-aborted': async (body) => {
            await this.#tell('migration.source-aborted', body);
            return { isUnderWay: this.isAwaitingLease };
          },
          'console.attach': async (body) => {
            await this.#tell('console.attach', body);
            return { position: 0, backlog: new Uint8Array(Buffer.from(`console of ${this.name}\n`)) };
          },
          'console.detach': async (body) => {
            await this.#tell('console.detach', body);
            return {};
          },
        },
        notices: {
          'cluster.view': (view) => {
            this.view = view;
          },
          'console.input': ({ bytes }) => {
            this.inputs += Buffer.from(bytes).toString();
          },
        },
      },
      onLink,
    });
  }

  async #register(link: AgentLink): Promise<void> {
    const { identity } = this;
    const body = { identity, status: this.status() };
    const reply = await link.request('agent.register', body, { deadlineMs: 2000 }).catch(() => null);
    if (reply === null) link.close();
    else this.view = reply.view;
  }

  async #beat(): Promise<void> {
    const { link } = this.#heartbeats;
    if (link === null) return;
    const sequence = ++this.#sequence;
    const { name: host, bootId } = this.identity;
    const body = { host, bootId, sequence, echo: this.#echo };
    const reply = await link.request('heartbeat', body, { deadlineMs: 1000 }).catch(() => null);
    if (reply !== null) this.#echo = reply.sequence;
  }

  #renew(): void {
    for (const { vm, epoch, state } of this.vms.values()) {
      if (state === 'running' && !this.options.storage.renew(vm, this.name, epoch)) {
        this.set(vm, { state: 'stopped', reason: 'fenced: the lease belongs to another' });
      }
    }
  }

  async #tell(command: string, body: unknown): Promise<void> {
    this.told.push({ command, body });
    await this.before(command, body);
  }

  /** As the real one: one effect for an operation that is sent twice; a failed one may be tried again. */
  #once<T>(command: string, operation: string, body: unknown, effect: () => T): Promise<T> {
    const key = `${command} ${operation}`;
    const known = this.#operations.get(key);
    if (known !== undefined) {
      this.told.push({ command: `${command} again`, body });
      return known as Promise<T>;
    }
    const done = this.#tell(command, body).then(effect);
    this.#operations.set(key, done);
    done.catch(() => this.#operations.delete(key));
    return done;
  }
}

/** One link of its own, for what a well-behaved agent does not do. */
export function dialRaw(
  options: Pick<ScriptedAgentOptions, 'agentPort'>,
  own: { readonly role: string; readonly name: string; readonly bootId: string },
): Promise<AgentLink> {
  const nothing = (): never => {
    throw notHere('anything');
  };
  return dial({
    host: '127.0.0.1',
    port: options.agentPort,
    protocol: agentCoordinatorProtocol,
    own,
    authentication: { kind: 'none' },
    handlers: {
      requests: {
        'vm.start': nothing,
        'vm.stop': nothing,
        'migration.source': nothing,
        'migration.target': nothing,
        'migration.cancel': nothing,
        'migration.source-aborted': nothing,
        'console.attach': nothing,
        'console.detach': nothing,
      },
      notices: { 'cluster.view': () => {}, 'console.input': () => {} },
    },
  });
}

function notHere(what: string): OperationError {
  return new OperationError({ code: 'vm.not-found', message: `this host has no ${what}` });
}
