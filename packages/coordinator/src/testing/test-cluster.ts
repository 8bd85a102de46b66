/** A coordinator with its real store, listeners and API in this process; scripted agents and storage around it. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  type ChangeReply,
  CoordinatorConfig,
  type HostView,
  type OperationView,
  Timing,
  type VmView,
} from '@skein/shared';
import { pino } from 'pino';
import { type RunningCoordinator, startCoordinator } from '../coordinator.ts';
import { ScriptedAgent } from './scripted-agent.ts';
import { ScriptedStorage } from './scripted-storage.ts';

/** A fifth of the real ones. */
export const quickTiming: Timing = Timing.parse({
  heartbeatPeriodMs: 50,
  hostLeaseTtlMs: 300,
  echoAgeMsMax: 150,
  vmLeaseRenewMs: 100,
  vmLeaseTtlMs: 300,
  marginMs: 40,
  peerMeetMs: 300,
  pairQuietMs: 300,
  gatherMs: 3000,
});

export const apiToken = new Uint8Array(32).fill(2);
export const metricsToken = new Uint8Array(32).fill(3);
export const image = 'f'.repeat(64);

type Ports = Pick<RunningCoordinator, 'apiPort' | 'agentPort' | 'clientPort'>;

export class TestCluster {
  readonly storage: ScriptedStorage;
  readonly agents = new Map<string, ScriptedAgent>();
  readonly #folder = mkdtempSync(join(tmpdir(), 'skein-coordinator-'));
  #coordinator: RunningCoordinator | null = null;
  #ports: Ports = { apiPort: 0, agentPort: 0, clientPort: 0 };

  private constructor(storage: ScriptedStorage) {
    this.storage = storage;
  }

  static async start(hosts: number, memoryMib = 1024): Promise<TestCluster> {
    const storage = await ScriptedStorage.start('127.0.0.1', quickTiming.vmLeaseTtlMs);
    const cluster = new TestCluster(storage);
    await cluster.startCoordinator();
    for (let number = 1; number <= hosts; number++) cluster.addAgent(number, memoryMib);
    await cluster.eventually('all hosts are connected', async () => {
      const views = await cluster.get<HostView[]>('/hosts');
      return views.length === hosts && views.every(({ state }) => state === 'connected');
    });
    return cluster;
  }

  addAgent(number: number, memoryMib = 1024): ScriptedAgent {
    const { storage } = this;
    const { agentPort } = this.#ports;
    const name = `h${number}`;
    const timing = quickTiming;
    const agent = new ScriptedAgent({
      name,
      number,
      agentPort,
      storage,
      timing,
      memoryMib,
    });
    this.agents.set(name, agent);
    return agent;
  }

  agent(name: string): ScriptedAgent {
    const agent = this.agents.get(name);
    if (agent === undefined) throw new Error(`no agent ${name}`);
    return agent;
  }

  get ports(): Ports {
    return this.#ports;
  }

  /** On the ports and the state that it had before, if it ran before. */
  async startCoordinator(): Promise<void> {
    const config = CoordinatorConfig.parse({
      cluster: 'test',
      stateDirectory: join(this.#folder, 'state'),
      apiTokenFile: 'unused',
      managementAddress: '127.0.0.1',
      ...this.#ports,
      storage: { localAddress: '127.0.0.1', address: '127.0.0.1', port: this.storage.port },
      insecure: true,
      segments: [{ name: 'lan', vni: 77, network: 'guest-a' }],
    });
    const log = pino({ level: 'silent' });
    this.#coordinator = await startCoordinator({
      config,
      apiToken,
      metricsToken,
      log,
      timing: quickTiming,
    });
    const { apiPort, agentPort, clientPort } = this.#coordinator;
    this.#ports = { apiPort, agentPort, clientPort };
  }

  async stopCoordinator(): Promise<void> {
    await this.#coordinator?.close();
    this.#coordinator = null;
  }

  async close(): Promise<void> {
    for (const agent of this.agents.values()) agent.kill();
    await this.stopCoordinator();
    await this.storage.close();
    rmSync(this.#folder, { recursive: true, force: true });
  }

  fetch(
    method: string,
    path: string,
    body?: unknown,
    headers: Record<string, string> = {},
  ): Promise<Response> {
    return fetch(`http://127.0.0.1:${this.#ports.apiPort}${path}`, {
      method,
      headers: {
        authorization: `Bearer ${Buffer.from(apiToken).toString('hex')}`,
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        ...headers,
      },
      ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
      signal: AbortSignal.timeout(5000),
    });
  }

  async get<T>(path: string): Promise<T> {
    return this.#json<T>('GET', path);
  }

  post(path: string, body?: unknown): Promise<ChangeReply> {
    return this.#json('POST', path, body);
  }

  vm(name: string): Promise<VmView> {
    return this.get(`/vms/${name}`);
  }

  create(name: string, more: Record<string, unknown> = {}): Promise<ChangeReply> {
    return this.post('/vms', { name, image, memoryMib: 128, nics: [{ segment: 'lan' }], ...more });
  }

  /** Creates a VM on a host and waits until it runs. */
  async boot(name: string, host: string, more: Record<string, unknown> = {}): Promise<VmView> {
    // On a busy machine an agent's heartbeat may be late; a pinned VM cannot wait for it.
    await this.eventually(`${host} is connected`, async () => {
      const hosts = await this.get<HostView[]>('/hosts');
      return hosts.some((one) => one.name === host && one.state === 'connected');
    });
    const { operation } = await this.create(name, { host, ...more });
    await this.ended(operation);
    return this.vm(name);
  }

  operation(id: string | null): Promise<OperationView> {
    return this.get(`/operations/${id}`);
  }

  ended(id: string | null): Promise<OperationView> {
    return this.eventually(`operation ${id} has ended`, async () => {
      const operation = await this.operation(id);
      return operation.endedAtMs === null ? null : operation;
    });
  }

  running(name: string, on?: string): Promise<VmView> {
    return this.eventually(`${name} runs${on === undefined ? '' : ` on ${on}`}`, async () => {
      const vm = await this.vm(name);
      return vm.state === 'running' && vm.operation === null && (on === undefined || vm.host === on)
        ? vm
        : null;
    });
  }

  /** Looks again and again; the deadline is a generous multiple of any expected time. */
  async eventually<T>(what: string, look: () => Promise<T | null | false> | T | null | false): Promise<T> {
    const endsAt = performance.now() + 8000;
    for (;;) {
      const found = await look();
      if (found !== null && found !== false && found !== undefined) return found;
      if (performance.now() > endsAt) throw new Error(`not in time: ${what}`);
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  }

  async #json<T>(method: string, path: string, body?: unknown): Promise<T> {
    const response = await this.fetch(method, `/v1${path}`, body);
    const text = await response.text();
    if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${text}`);
    return JSON.parse(text) as T;
  }
}
