/**
 * An agent without machines: real links, real heartbeats, real leases at the real storage service, but its VMs are
 * entries in a table. A test can hold its commands, kill it, or make it silent, at exactly the moment it wants.
 */
import { randomBytes } from 'node:crypto';
import {
  type AgentStatus,
  agentCoordinatorProtocol,
  type ClusterView,
  type Epoch,
  grantDeadlineNs,
  type HostIdentity,
  type HostName,
  type MachineSpec,
  type MigrationRecord,
  OperationError,
  type OperationId,
  timingDefaults,
  type VmId,
  type VmReport,
} from '@skein/shared';
import { LeaseClient } from '@skein/storage';
import { type Authentication, type Handlers, KeptLink } from '@skein/transport';
import { statusOf } from './scripted-status.ts';

type Protocol = typeof agentCoordinatorProtocol;
export type CommandName =
  | 'vm.start'
  | 'vm.stop'
  | 'migration.source'
  | 'migration.target'
  | 'migration.cancel'
  | 'migration.source-aborted';

export interface ScriptedAgentOptions {
  readonly name: HostName;
  readonly network: string;
  readonly index: number;
  readonly memoryMib: number;
  readonly hasMigration: boolean;
  readonly authentication: Authentication;
  readonly coordinatorPort: number;
  readonly storagePort: number;
}

export interface ScriptedVm {
  readonly vm: VmId;
  readonly name: string;
  readonly machine: MachineSpec;
  epoch: Epoch;
  state: VmReport['state'];
  reason: string | null;
  readyMs: number | null;
  /** Of its memory; they are still at the host that it came from. */
  missingPages: number;
  /** All of its console since power-on. */
  console: Buffer;
}

/** What came in and what it did: a repeated command adds to `received`, not to `effects`. */
export interface Command {
  readonly name: CommandName;
  readonly operation: OperationId;
}

const statusPeriodMs = 200;

export class ScriptedAgent {
  readonly options: ScriptedAgentOptions;
  readonly bootId = randomBytes(16).toString('hex');
  readonly received: Command[] = [];
  readonly effects: Command[] = [];
  readonly vms = new Map<VmId, ScriptedVm>();
  readonly inputs: { vm: VmId; text: string }[] = [];
  readonly leases: LeaseClient;
  /** Called before a command has its effect; a promise that never resolves holds it. */
  before: (name: CommandName) => Promise<void> | void = () => {};
  /** Called after the effect, before the answer. */
  after: (name: CommandName) => Promise<void> | void = () => {};
  view: ClusterView | null = null;
  registrations = 0;
  lastRefusal: OperationError | null = null;
  /** Started guests run at once; false leaves them `starting`. */
  boots = true;
  readonly #agentLink: KeptLink<Protocol>;
  readonly #heartbeatLink: KeptLink<Protocol>;
  readonly #done = new Map<OperationId, Promise<unknown>>();
  readonly #unacknowledged: { side: 'source' | 'target'; record: MigrationRecord }[] = [];
  readonly #attached = new Set<VmId>();
  readonly #timers: NodeJS.Timeout[] = [];
  #sequence = 0;
  #echo = 0;
  #beats = true;
  #renews = true;
  #isRegistered = false;
  #grantedUntilNs = 0n;

  constructor(options: ScriptedAgentOptions) {
    this.options = options;
    const { name, network, index, authentication } = options;
    this.leases = new LeaseClient({
      host: `${network}.4.1`,
      port: options.storagePort,
      localAddress: `${network}.4.${10 + index}`,
      own: { role: 'agent', name, bootId: this.bootId },
      authentication,
      timing: timingDefaults,
    });
    this.#agentLink = this.#keep('agent', () => void this.#register());
    this.#heartbeatLink = this.#keep('agent-heartbeat', () => void this.#beat());
    this.#timers.push(
      setInterval(() => void this.#beat(), timingDefaults.heartbeatPeriodMs),
      setInterval(() => void this.#renew(), timingDefaults.vmLeaseRenewMs),
      setInterval(() => this.changed(), statusPeriodMs),
    );
  }

  get identity(): HostIdentity {
    const { name, network, index, memoryMib, hasMigration } = this.options;
    return {
      name,
      bootId: this.bootId,
      pid: process.pid,
      capacity: { cpuMhz: 1000, memoryMib },
      addresses: {
        management: `${network}.1.${10 + index}`,
        ...(hasMigration ? { migration: `${network}.2.${10 + index}` } : {}),
        'storage-a': `${network}.4.${10 + index}`,
        'guest-a': `${network}.6.${10 + index}`,
      },
      peerPorts: { migration: 7000, 'guest-a': 7000 },
      vxlanPort: 4789,
      metricsPort: null,
      machineVersion: 1,
    };
  }

  /** Counted from when the heartbeat was sent, as every agent must (safety: rule 1). */
  get isGranted(): boolean {
    return process.hrtime.bigint() < this.#grantedUntilNs;
  }

  vmNamed(name: string): ScriptedVm | undefined {
    return [...this.vms.values()].find((vm) => vm.name === name && vm.state !== 'stopped');
  }

  count(name: CommandName, list: readonly Command[] = this.effects): number {
    return list.filter((command) => command.name === name).length;
  }

  /** As a killed process: every socket ends, nothing is renewed any more. */
  kill(): void {
    for (const timer of this.#timers) clearInterval(timer);
    this.#agentLink.close();
    this.#heartbeatLink.close();
    this.leases.close();
  }

  /** As a stopped one: sockets stay open, nothing moves. */
  freeze(): void {
    this.#beats = false;
    this.#renews = false;
  }

  /** It goes on as if nothing had happened. */
  wake(): void {
    this.#beats = true;
    this.#renews = true;
    this.changed();
  }

  /** Heartbeats get lost; leases are renewed: as if cut off from the coordinator alone. */
  cutFromCoordinator(): void {
    this.#beats = false;
    this.#agentLink.close();
    this.#heartbeatLink.close();
  }

  /** The status goes out now, and again shortly. */
  changed(): void {
    if (!this.#isRegistered || !this.#beats) return;
    this.#agentLink.link?.notify('agent.status', this.#status());
  }

  print(vm: ScriptedVm, text: string): void {
    const bytes = Buffer.from(text);
    const position = vm.console.length;
    vm.console = Buffer.concat([vm.console, bytes]);
    if (this.#attached.has(vm.vm)) {
      this.#agentLink.link?.notify('console.output', { vm: vm.vm, position, bytes: new Uint8Array(bytes) });
    }
  }

  /** The guest or its thread ended. */
  end(vm: ScriptedVm, state: 'stopped' | 'failed', reason: string): void {
    vm.state = state;
    vm.reason = reason;
    void this.leases.release(vm.vm, vm.epoch).catch(() => {});
    this.changed();
  }

  migrationEnded(side: 'source' | 'target', record: MigrationRecord): void {
    this.#unacknowledged.push({ side, record });
    void this.#sendRecords();
  }

  #keep(role: 'agent' | 'agent-heartbeat', onLink: () => void): KeptLink<Protocol> {
    const { name, network, index, authentication, coordinatorPort } = this.options;
    return new KeptLink({
      host: `${network}.1.1`,
      port: coordinatorPort,
      localAddress: `${network}.1.${10 + index}`,
      protocol: agentCoordinatorProtocol,
      own: { role, name, bootId: this.bootId },
      authentication,
      maxPayloadBytes: 8 << 20,
      pauseMsMax: 200,
      handlers: this.#handlers(),
      onLink,
      onDown: () => {
        if (role === 'agent') this.#isRegistered = false;
      },
    });
  }

  #handlers(): Handlers<Protocol, 'dialer'> {
    return {
      requests: {
        'vm.start': (body) => this.#once('vm.start', body.operation, () => this.#start(body)),
        'vm.stop': ({ operation, vm, epoch }) =>
          this.#once('vm.stop', operation, () => this.#stop(vm, epoch)),
        'migration.source': (body) =>
          this.#once('migration.source', body.operation, async () => {
            this.#present(body.vm, body.epoch);
            return { address: `${this.options.network}.2.${10 + this.options.index}`, port: 9999 };
          }),
        'migration.target': (body) =>
          this.#once('migration.target', body.operation, async () => {
            const { vm, name, machine, epoch } = body;
            this.#add({ vm, name, machine, epoch, state: 'incoming' });
            return {};
          }),
        'migration.cancel': async ({ operation }) => {
          this.received.push({ name: 'migration.cancel', operation });
          await this.before('migration.cancel');
          return {};
        },
        'migration.source-aborted': async ({ operation }) => {
          this.received.push({ name: 'migration.source-aborted', operation });
          return { isUnderWay: false };
        },
        'console.attach': ({ vm }) => {
          const known = this.#present(vm, null);
          this.#attached.add(vm);
          return { position: 0, backlog: new Uint8Array(known.console) };
        },
        'console.detach': ({ vm }) => {
          this.#attached.delete(vm);
          return {};
        },
      },
      notices: {
        'cluster.view': (view) => {
          if (this.view === null || view.version > this.view.version) this.view = view;
        },
        'console.input': ({ vm, bytes }) => {
          this.inputs.push({ vm, text: Buffer.from(bytes).toString() });
        },
      },
    };
  }

  /** The agent's promise: one effect for each operation id; a refusal may be tried again. */
  async #once<T>(name: CommandName, operation: OperationId, effect: () => Promise<T>): Promise<T> {
    this.received.push({ name, operation });
    await this.before(name);
    const known = this.#done.get(`${name} ${operation}`);
    if (known !== undefined) return (await known) as T;
    const promise = effect();
    this.#done.set(`${name} ${operation}`, promise);
    promise.catch(() => this.#done.delete(`${name} ${operation}`));
    const result = await promise;
    this.effects.push({ name, operation });
    this.changed();
    await this.after(name);
    return result;
  }

  async #start(body: {
    vm: VmId;
    name: string;
    machine: MachineSpec;
    expectEpoch: Epoch;
  }): Promise<{ epoch: Epoch }> {
    const { vm, name, machine, expectEpoch } = body;
    if (this.vms.get(vm) !== undefined && this.vms.get(vm)?.state !== 'stopped') {
      throw new OperationError({ code: 'vm.wrong-state', message: `${name} is on this host already` });
    }
    if (!this.isGranted) {
      throw new OperationError({ code: 'host.wrong-state', message: 'this host has no host lease' });
    }
    const { epoch } = await this.leases.acquire(vm, expectEpoch);
    this.#add({ vm, name, machine, epoch, state: this.boots ? 'running' : 'starting' });
    return { epoch };
  }

  async #stop(id: VmId, epoch: Epoch): Promise<Record<string, never>> {
    const vm = this.#present(id, epoch);
    this.end(vm, 'stopped', 'powered off on request');
    return {};
  }

  #add(vm: Pick<ScriptedVm, 'vm' | 'name' | 'machine' | 'epoch' | 'state'>): void {
    this.vms.set(vm.vm, { ...vm, reason: null, readyMs: null, missingPages: 0, console: Buffer.from('') });
    this.changed();
  }

  #present(id: VmId, epoch: Epoch | null): ScriptedVm {
    const vm = this.vms.get(id);
    if (vm === undefined || vm.state === 'stopped') {
      throw new OperationError({ code: 'vm.not-found', message: `this host has no VM ${id}` });
    }
    if (epoch !== null && vm.epoch !== epoch) {
      throw new OperationError({ code: 'epoch.stale', message: `it has epoch ${vm.epoch}, not ${epoch}` });
    }
    return vm;
  }

  async #register(): Promise<void> {
    try {
      const { link } = this.#agentLink;
      const body = { identity: this.identity, status: this.#status() };
      const reply = await link?.request('agent.register', body, { deadlineMs: 5000 });
      if (reply === undefined) return;
      if (this.view === null || reply.view.version > this.view.version) this.view = reply.view;
      this.#isRegistered = true;
      this.registrations += 1;
      void this.#sendRecords();
    } catch (error) {
      if (error instanceof OperationError) this.lastRefusal = error;
      this.#agentLink.link?.close();
    }
  }

  async #beat(): Promise<void> {
    const { link } = this.#heartbeatLink;
    if (link === null || !this.#beats) return;
    const body = {
      host: this.options.name,
      bootId: this.bootId,
      sequence: ++this.#sequence,
      echo: this.#echo,
    };
    const sentNs = process.hrtime.bigint();
    const reply = await link.request('heartbeat', body, { deadlineMs: 1500 }).catch(() => null);
    if (reply === null) return;
    this.#echo = Math.max(this.#echo, reply.sequence);
    if (!reply.granted) return;
    this.#grantedUntilNs = grantDeadlineNs(sentNs, reply.ttlMs, timingDefaults);
  }

  /** A lost lease stops the VM, as an agent must. */
  async #renew(): Promise<void> {
    if (!this.#renews) return;
    for (const vm of this.vms.values()) {
      if (vm.state !== 'running' && vm.state !== 'starting') continue;
      await this.leases.renew(vm.vm, vm.epoch).catch((error: unknown) => {
        const isLost = error instanceof OperationError && error.code.startsWith('lease.');
        if (isLost) this.end(vm, 'stopped', `fenced: ${error.message}`);
      });
    }
  }

  async #sendRecords(): Promise<void> {
    const next = this.#unacknowledged[0];
    const { link } = this.#agentLink;
    if (next === undefined || link === null || !this.#isRegistered) return;
    const isTaken = await link.request('migration.ended', next, { deadlineMs: 2000 }).then(
      () => true,
      () => false,
    );
    if (isTaken && this.#unacknowledged[0] === next) this.#unacknowledged.shift();
    if (isTaken) await this.#sendRecords();
  }

  #status(): AgentStatus {
    return statusOf([...this.vms.values()]);
  }
}
