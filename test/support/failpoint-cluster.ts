/**
 * A cluster of three hosts with one guest, whose migrations can be held at a failpoint while something is broken. What is
 * true is asked of the agents, the storage service and the guest; the coordinator is one more witness.
 */
import { randomBytes } from 'node:crypto';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import {
  type ChangeReply,
  type LeaseView,
  type MigrationSettings,
  type OperationView,
  timingDefaults,
  type VmView,
} from '@skein/shared';
import { LeaseClient } from '@skein/storage';
import { type Failpoint, failpointsVariable } from '@skein/transport';
import { Cluster, type Console } from './cluster.ts';
import { CopyObserver } from './copy-observer.ts';
import { relayVariable } from './transfer-detour.ts';
import { TransferRelay } from './transfer-relay.ts';

interface AgentFile {
  readonly addresses: { readonly management: string };
}

interface StorageFile {
  readonly address: string;
  readonly port: number;
}

const hosts = ['h1', 'h2', 'h3'];
const guest = 'web1';
/** Pages of a dirtier of 4 MiB. */
const dirtiedPages = 1024;

export class FailpointCluster {
  readonly cluster: Cluster;
  readonly relay: TransferRelay;
  readonly #folder: string;
  readonly #observer: CopyObserver;
  readonly #leases: LeaseClient;

  private constructor(cluster: Cluster, relay: TransferRelay, folder: string) {
    this.cluster = cluster;
    this.relay = relay;
    this.#folder = folder;
    const token = readFileSync(join(cluster.folder, 'metrics.token'), 'utf8').trim();
    const observed = hosts.map((name) => {
      const { addresses } = this.#configOf<AgentFile>(name);
      return { name, metricsUrl: `http://${addresses.management}:7130/metrics` };
    });
    this.#observer = new CopyObserver(observed, token, guest);
    const { address, port } = this.#configOf<StorageFile>('storage');
    this.#leases = new LeaseClient({
      host: address,
      port,
      localAddress: '127.0.0.1',
      own: { role: 'transfer', name: 'observer', bootId: randomBytes(16).toString('hex') },
      authentication: { kind: 'none' },
      timing: timingDefaults,
    });
  }

  static async start(): Promise<FailpointCluster> {
    const relay = await TransferRelay.open();
    const holds = mkdtempSync(join(tmpdir(), 'skein-holds-'));
    const preload = pathToFileURL(join(import.meta.dirname, 'transfer-detour.ts')).href;
    const cluster = await Cluster.start(hosts.length, {
      // Without TLS, so that what garbles the link gets as far as our own parser.
      arguments: ['--insecure', '--host-mhz', '300', '--host-memory', '512'],
      environment: {
        NODE_OPTIONS: `--import=${preload}`,
        [failpointsVariable]: holds,
        // What is started again and again need not be compiled each time.
        NODE_COMPILE_CACHE: join(tmpdir(), 'skein-compile-cache'),
        [relayVariable]: String(relay.port),
      },
    });
    const started = new FailpointCluster(cluster, relay, holds);
    try {
      await cluster.connected(...hosts);
      await cluster.boot(guest, 'h1', '10.77.0.11', { memoryMib: 128 });
      return started;
    } catch (error) {
      await started.close({ keepsLogs: true });
      throw error;
    }
  }

  /** Whoever comes to that place waits from now on. */
  hold(point: Failpoint): void {
    writeFileSync(join(this.#folder, point), '');
  }

  async reached(point: Failpoint): Promise<void> {
    await this.cluster.eventually(
      `${point} is reached`,
      async () => existsSync(join(this.#folder, `${point}.reached`)),
      15_000,
    );
  }

  release(point: Failpoint): void {
    rmSync(join(this.#folder, `${point}.reached`), { force: true });
    rmSync(join(this.#folder, point), { force: true });
  }

  view(): Promise<VmView> {
    return this.cluster.vm(guest);
  }

  /** Of the guest, the newest first. */
  async migrations(): Promise<OperationView[]> {
    const operations = await this.cluster.api<OperationView[]>('GET', '/operations');
    return operations
      .filter(({ kind }) => kind === 'vm-migrate')
      .sort((a, b) => b.createdAtMs - a.createdAtMs);
  }

  /** Null: nobody answered that it was begun. */
  async askMigration(to: string, settings: Partial<MigrationSettings> = {}): Promise<string | null> {
    const asked = this.cluster.api<ChangeReply>('POST', `/vms/${guest}/migrate`, { host: to, ...settings });
    return await asked.then(
      ({ operation }) => operation,
      () => null,
    );
  }

  /** @throws unless it committed */
  async migrate(to: string): Promise<void> {
    const reply = await this.cluster.api<ChangeReply>('POST', `/vms/${guest}/migrate`, { host: to });
    const ended = await this.ended(reply.operation ?? '');
    if (ended.state !== 'succeeded') throw new Error(`a migration to ${to}: ${ended.problem?.message}`);
  }

  async ended(operation: string): Promise<OperationView> {
    return await this.cluster.eventually(`${operation} ends`, async () => {
      const view = await this.cluster.operation(operation);
      return view.endedAtMs !== null && view;
    });
  }

  /** Where the guest runs, at that epoch or a later one, booted, with nothing under way. */
  async settled(epochMin = 0): Promise<VmView & { readonly host: string; readonly epoch: number }> {
    return await this.cluster.eventually(`${guest} runs and is left alone`, async () => {
      const view = await this.view();
      const { state, host, epoch, readyMs, operation } = view;
      if (state !== 'running' || operation !== null || readyMs === null) return false;
      return host !== null && epoch !== null && epoch >= epochMin && { ...view, host, epoch };
    });
  }

  /** The one copy that any host has, once there is one alone: it has its host's lease, and it executes. */
  async expectOneCopy(host: string, epoch: number): Promise<void> {
    await this.cluster.eventually(`${host} alone has ${guest}, at epoch ${epoch}`, async () => {
      const [copy, ...others] = await this.#observer.copies();
      if (copy === undefined || others.length > 0) return false;
      return copy.host === host && copy.epoch === epoch && copy.leaseRemainingS > 0;
    });
    const [before] = await this.#observer.copies();
    await this.cluster.eventually(`${guest} executes`, async () => {
      const [now] = await this.#observer.copies();
      return now !== undefined && now.steps > (before?.steps ?? 0);
    });
    if ((await this.#observer.hashMismatches()) > 0) throw new Error('a host alarms: hashes did not match');
    if (this.#observer.violations.length > 0) throw new Error(this.#observer.violations.join('\n'));
  }

  /**
   * A lease of the guest is renewed, or taken anew, from now on: a guest that froze while the storage service was away goes on, and
   * does not freeze a moment later.
   */
  async renewed(): Promise<void> {
    const remainingS = async (): Promise<number> =>
      Math.max(0, ...(await this.#observer.copies()).map((copy) => copy.leaseRemainingS));
    let before = await remainingS();
    await this.cluster.eventually('its lease is renewed', async () => {
      const now = await remainingS();
      const isRenewed = now > before;
      before = now;
      return isRenewed;
    });
  }

  async lease(): Promise<LeaseView | null> {
    const { id } = await this.view();
    return await this.cluster.eventually('the lease is read', async () => await this.#leases.read(id));
  }

  /** Begins to rewrite memory, each page of which must hold what was written last. */
  async startDirtier(): Promise<void> {
    const console = await this.#console();
    const from = console.text.length;
    console.type('dirtier 4 500 counter & echo begun $((1 + 1))\n');
    await console.until(/^begun 2\s*$/m, 15_000, from);
    console.close();
  }

  /** Ends the dirtier and has it look at all of its memory; false: there is none, this guest was started anew. */
  async hasKeptMemory(): Promise<boolean> {
    const console = await this.#console();
    await console.expectAlive();
    const from = console.text.length;
    console.type('killall dirtier || echo none of $((1 + 1)) lives\n');
    const [said] = await console.until(
      /none of 2 lives|dirtier: verified \d+(?= pages)|MISMATCH[^\n]*\n/,
      30_000,
      from,
    );
    console.close();
    if (said.startsWith('none')) return false;
    if (said !== `dirtier: verified ${dirtiedPages}`) throw new Error(`the guest says: ${said}`);
    return true;
  }

  /** `keepsLogs`: of its processes, in the folder of its cluster. */
  async close({ keepsLogs }: { readonly keepsLogs: boolean }): Promise<void> {
    rmSync(this.#folder, { recursive: true, force: true });
    try {
      await this.cluster.close({ keepsFolder: keepsLogs });
    } finally {
      this.#leases.close();
      await this.#observer.close();
      await this.relay.close();
    }
  }

  #console(): Promise<Console> {
    return this.cluster.eventually('its console opens', () => this.cluster.console(guest));
  }

  #configOf<T>(name: string): T {
    return JSON.parse(readFileSync(this.cluster.process(name).configFile, 'utf8')) as T;
  }
}
