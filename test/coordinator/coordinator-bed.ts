/**
 * A real coordinator and a real storage service, each a process of its own, with scripted agents: for what the
 * coordinator must do, at moments that real hosts pass in no time.
 */
import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  ChangeReply,
  type ClusterEvent,
  HostView,
  type MigrateVmRequest,
  OperationView,
  timingDefaults,
  VmView,
} from '@skein/shared';
import { LeaseClient } from '@skein/storage';
import type { Authentication } from '@skein/transport';
import { type Program, startProgram } from '../support/process.ts';
import { ScriptedAgent, type ScriptedAgentOptions } from './scripted-agent.ts';
import { ScriptedMigration } from './scripted-migration.ts';

export interface Answer {
  readonly status: number;
  readonly body: Record<string, unknown>;
  readonly headers: Headers;
}

export const someImage = '0'.repeat(64);
const waitMs = 15_000;
const pollMs = 10;

export class CoordinatorBed {
  readonly folder = mkdtempSync(join(tmpdir(), 'skein-coordinator-'));
  readonly network = `127.${20 + Math.floor(Math.random() * 200)}`;
  readonly apiToken = randomBytes(32).toString('hex');
  readonly #agents: ScriptedAgent[] = [];
  readonly #clients: LeaseClient[] = [];
  #storage: Program | null = null;
  #coordinator: Program | null = null;
  #ports = { apiPort: 0, agentPort: 0, clientPort: 0 };
  #storagePort = 0;
  readonly #more: Readonly<Record<string, unknown>>;

  private constructor(more: Readonly<Record<string, unknown>>) {
    this.#more = more;
  }

  /** `more` goes into the coordinator's configuration. */
  static async start(
    hosts: readonly string[] = [],
    more: Readonly<Record<string, unknown>> = {},
  ): Promise<CoordinatorBed> {
    const bed = new CoordinatorBed(more);
    writeFileSync(bed.#file('api-token'), bed.apiToken, { mode: 0o600 });
    await bed.startStorage();
    await bed.startCoordinator();
    for (const host of hosts) bed.addAgent(host);
    await Promise.all(hosts.map((host) => bed.hostIs(host, 'connected')));
    await bed.until('all are granted', () => bed.#agents.every(({ isGranted }) => isGranted));
    return bed;
  }

  get coordinator(): Program {
    if (this.#coordinator === null) throw new Error('no coordinator');
    return this.#coordinator;
  }

  get storage(): Program {
    if (this.#storage === null) throw new Error('no storage service');
    return this.#storage;
  }

  get clientPort(): number {
    return this.#ports.clientPort;
  }

  get authentication(): Authentication {
    return { kind: 'none' };
  }

  get config(): Record<string, unknown> {
    return {
      cluster: 'test',
      stateDirectory: this.#file('coordinator'),
      insecure: true,
      apiTokenFile: this.#file('api-token'),
      managementAddress: `${this.network}.1.1`,
      ...this.#ports,
      storage: {
        localAddress: `${this.network}.4.2`,
        address: `${this.network}.4.1`,
        port: this.#storagePort,
      },
      segments: [{ name: 'lan', vni: 77, network: 'guest-a' }],
      logLevel: 'debug',
      ...this.#more,
    };
  }

  /** Again on the same ports and state after it was killed. */
  async startCoordinator(): Promise<void> {
    this.#coordinator = await startProgram('coordinator', 'coordinator', this.folder, this.config);
    const { apiPort, agentPort, clientPort } = this.#coordinator.ready;
    this.#ports = { apiPort: Number(apiPort), agentPort: Number(agentPort), clientPort: Number(clientPort) };
  }

  async killCoordinator(): Promise<void> {
    this.coordinator.kill('SIGKILL');
    await this.coordinator.ended;
  }

  async startStorage(): Promise<void> {
    this.#storage = await startProgram('storage', 'storage', this.folder, {
      stateDirectory: this.#file('storage'),
      insecure: true,
      address: `${this.network}.4.1`,
      port: this.#storagePort,
    });
    this.#storagePort = Number(this.#storage.ready.port);
  }

  async killStorage(): Promise<void> {
    this.storage.kill('SIGKILL');
    await this.storage.ended;
  }

  addAgent(
    name: string,
    more: Partial<Pick<ScriptedAgentOptions, 'memoryMib' | 'hasMigration' | 'index'>> = {},
  ): ScriptedAgent {
    const agent = new ScriptedAgent({
      name,
      network: this.network,
      index: this.#agents.length,
      memoryMib: 1024,
      hasMigration: true,
      authentication: this.authentication,
      coordinatorPort: this.#ports.agentPort,
      storagePort: this.#storagePort,
      ...more,
    });
    this.#agents.push(agent);
    return agent;
  }

  /** The newest agent of that name. */
  agent(name: string): ScriptedAgent {
    const agent = this.#agents.findLast(({ options }) => options.name === name);
    if (agent === undefined) throw new Error(`no agent ${name}`);
    return agent;
  }

  agents(): readonly ScriptedAgent[] {
    return this.#agents;
  }

  /** Somebody at the storage service, under any name. */
  leaseClient(name: string): LeaseClient {
    const client = new LeaseClient({
      host: `${this.network}.4.1`,
      port: this.#storagePort,
      localAddress: `${this.network}.4.3`,
      own: { role: 'agent', name, bootId: randomBytes(16).toString('hex') },
      authentication: this.authentication,
      timing: timingDefaults,
    });
    this.#clients.push(client);
    return client;
  }

  get apiUrl(): string {
    return `http://${this.network}.1.1:${this.#ports.apiPort}`;
  }

  async ask(
    method: string,
    path: string,
    body?: unknown,
    headers: Readonly<Record<string, string>> = {},
  ): Promise<Answer> {
    const response = await fetch(`${this.apiUrl}${path}`, {
      method,
      headers: {
        authorization: `Bearer ${this.apiToken}`,
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        ...headers,
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      signal: AbortSignal.timeout(waitMs),
    });
    const text = await response.text();
    return {
      status: response.status,
      headers: response.headers,
      body: text === '' ? {} : (JSON.parse(text) as Record<string, unknown>),
    };
  }

  /** A change that must be accepted. */
  async change(method: string, path: string, body?: unknown): Promise<ChangeReply> {
    const answer = await this.ask(method, path, body);
    if (answer.status >= 300) throw new Error(`${method} ${path}: ${JSON.stringify(answer.body)}`);
    return ChangeReply.parse(answer.body);
  }

  create(name: string, more: Readonly<Record<string, unknown>> = {}): Promise<ChangeReply> {
    return this.change('POST', '/v1/vms', { name, image: someImage, ...more });
  }

  /** Created and running. */
  async running(name: string, host: string): Promise<VmView> {
    const { operation } = await this.create(name, { host });
    await this.succeeded(operation);
    return this.vmIs(name, (vm) => vm.state === 'running' && vm.host === host, `runs on ${host}`);
  }

  /** Begins a migration and waits until both sides were told. */
  async migrating(
    name: string,
    from: string,
    to: string,
    more: Partial<MigrateVmRequest> = {},
  ): Promise<ScriptedMigration> {
    const { operation } = await this.change('POST', `/v1/vms/${name}/migrate`, { host: to, ...more });
    const id = operation ?? '';
    await this.until('both sides are told', () => this.agent(to).count('migration.target') > 0);
    return new ScriptedMigration(id, this.agent(from), this.agent(to), name);
  }

  async vm(name: string): Promise<VmView> {
    return VmView.parse((await this.ask('GET', `/v1/vms/${name}`)).body);
  }

  vmIs(name: string, condition: (vm: VmView) => boolean, what: string): Promise<VmView> {
    return this.until(`${name} ${what}`, async () => {
      const vm = await this.vm(name);
      return condition(vm) ? vm : null;
    });
  }

  async host(name: string): Promise<HostView> {
    return HostView.parse((await this.ask('GET', `/v1/hosts/${name}`)).body);
  }

  hostIs(name: string, state: HostView['state']): Promise<HostView> {
    return this.until(`host ${name} is ${state}`, async () => {
      const answer = await this.ask('GET', `/v1/hosts/${name}`);
      const parsed = HostView.safeParse(answer.body);
      return parsed.success && parsed.data.state === state ? parsed.data : null;
    });
  }

  async operation(id: string | null): Promise<OperationView> {
    return OperationView.parse((await this.ask('GET', `/v1/operations/${id}`)).body);
  }

  ended(id: string | null): Promise<OperationView> {
    return this.until(`operation ${id} ends`, async () => {
      const operation = await this.operation(id);
      return operation.endedAtMs === null ? null : operation;
    });
  }

  async succeeded(id: string | null): Promise<OperationView> {
    const operation = await this.ended(id);
    if (operation.state !== 'succeeded') throw new Error(`${id} failed: ${operation.problem?.message}`);
    return operation;
  }

  async operations(): Promise<OperationView[]> {
    const { body } = await this.ask('GET', '/v1/operations');
    return (body as unknown as unknown[]).map((operation) => OperationView.parse(operation));
  }

  async events(after = 0): Promise<ClusterEvent[]> {
    const { body } = await this.ask('GET', `/v1/events?after=${after}&limit=1000`);
    return body.events as ClusterEvent[];
  }

  /** With what the coordinator said last, if it does not come true. */
  async until<T>(
    what: string,
    condition: () => T | null | false | undefined | Promise<T | null | false | undefined>,
    deadlineMs = waitMs,
  ): Promise<T> {
    const endsAt = performance.now() + deadlineMs;
    for (;;) {
      const value = await condition();
      if (value !== null && value !== undefined && value !== false) return value;
      if (performance.now() > endsAt) {
        throw new Error(
          `${what}: not within ${deadlineMs} ms\n${this.#coordinator?.log().slice(-4000) ?? ''}`,
        );
      }
      await new Promise((resolve) => setTimeout(resolve, pollMs));
    }
  }

  async close(): Promise<void> {
    for (const agent of this.#agents) agent.kill();
    for (const client of this.#clients) client.close();
    this.#coordinator?.kill('SIGKILL');
    this.#storage?.kill('SIGKILL');
    await Promise.all([this.#coordinator?.ended, this.#storage?.ended]);
    rmSync(this.folder, { recursive: true, force: true });
  }

  #file(name: string): string {
    return join(this.folder, name);
  }
}
