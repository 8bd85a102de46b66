/**
 * Real agents, a real storage service, real guests - and a coordinator that does just what a test says: for what
 * happens between agents, at steps that a real coordinator would pass in no time.
 */
import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { defaultCacheFolder, ensureGuestImage, type GuestImage, type GuestImageName } from '@skein/guests';
import {
  type AgentStatus,
  agentCoordinatorProtocol,
  type ClusterView,
  type HostIdentity,
  type MachineSpec,
  type MacOwner,
  type MigrationProgress,
  type MigrationRecord,
  type MigrationSettings,
  migrationSettingsDefaults,
  type NetworkKind,
  type TemplateRecipe,
  timingDefaults,
  type VmId,
  type VmReport,
} from '@skein/shared';
import { type Link, type Listener, listen } from '@skein/transport';
import { type Program, spawnProgram, startProgram } from './process.ts';
import { until } from './until.ts';

type AgentLink = Link<typeof agentCoordinatorProtocol, 'listener'>;

export interface BedVm {
  readonly vm: VmId;
  readonly name: string;
  readonly machine: MachineSpec;
  host: string;
  epoch: number;
}

export interface EndedMigration {
  readonly side: 'source' | 'target';
  readonly record: MigrationRecord;
}

const commandDeadlineMs = 20_000;
export interface AgentBedOptions {
  /** Of each host. */
  readonly memoryMib?: number;
  readonly guestMemoryMib?: number;
  /** Of all guests; default: Debian's. */
  readonly imageName?: GuestImageName;
  /** Each new piece of a console, in order, at the moment at which it arrives. */
  readonly hear?: (text: string, vm: VmId) => void;
}

const hostMemoryMib = 1024;
/** Enough for Debian's kernel without its contiguous memory area. */
const guestMemoryMib = 160;

export class AgentBed {
  readonly folder = mkdtempSync(join(tmpdir(), 'skein-bed-'));
  readonly agents = new Map<string, Program>();
  readonly ended: EndedMigration[] = [];
  readonly progress: MigrationProgress[] = [];
  readonly #network = `127.${100 + Math.floor(Math.random() * 100)}`;
  readonly #links = new Map<string, AgentLink>();
  readonly #identities = new Map<string, HostIdentity>();
  readonly #status = new Map<string, AgentStatus>();
  readonly #consoles = new Map<VmId, ConsoleText>();
  readonly #vms: BedVm[] = [];
  readonly #hidden = new Map<string, NetworkKind>();
  readonly #options: AgentBedOptions;
  #storage: Program | null = null;
  #storagePort = 0;
  #listener: Listener<typeof agentCoordinatorProtocol> | null = null;
  #image: GuestImage | null = null;
  #version = 0;
  #operations = 0;
  #templates: readonly TemplateRecipe[] = [];

  private constructor(options: AgentBedOptions) {
    this.#options = options;
  }

  static async start(hosts: readonly string[], options: AgentBedOptions = {}): Promise<AgentBed> {
    const bed = new AgentBed(options);
    bed.#image = await ensureGuestImage({ name: options.imageName ?? 'debian' });
    await bed.startStorage();
    await bed.#listen();
    await Promise.all(hosts.map((host, index) => bed.startAgent(host, index)));
    return bed;
  }

  get storage(): Program {
    if (this.#storage === null) throw new Error('no storage service');
    return this.#storage;
  }

  /** Where the storage service listens, and addresses of the bed that no agent has. */
  get strangers(): {
    readonly storage: { address: string; port: number };
    readonly migration: string;
    readonly storageA: string;
  } {
    return {
      storage: { address: `${this.#network}.4.2`, port: this.#storagePort },
      migration: `${this.#network}.2.99`,
      storageA: `${this.#network}.4.99`,
    };
  }

  /** Again on the same port and state after it was killed. */
  async startStorage(): Promise<void> {
    this.#storage = await startProgram('storage', 'storage', this.folder, {
      stateDirectory: join(this.folder, 'storage'),
      insecure: true,
      address: `${this.#network}.4.2`,
      port: this.#storagePort,
    });
    this.#storagePort = Number(this.#storage.ready.port);
  }

  async startAgent(host: string, index: number): Promise<void> {
    const { program, ready } = spawnProgram(host, 'host-agent', this.folder, {
      host,
      stateDirectory: join(this.folder, host),
      insecure: true,
      coordinator: { address: `${this.#network}.1.1`, port: this.#listener?.port },
      storage: { address: `${this.#network}.4.2`, port: this.#storagePort },
      addresses: {
        management: `${this.#network}.1.${11 + index}`,
        migration: `${this.#network}.2.${11 + index}`,
        'storage-a': `${this.#network}.4.${11 + index}`,
        'guest-a': `${this.#network}.6.${11 + index}`,
      },
      capacity: { cpuMhz: 1000, memoryMib: this.#options.memoryMib ?? hostMemoryMib },
      imageDirectory: join(defaultCacheFolder(), 'images'),
    });
    this.agents.set(host, { ...program, ready: await ready });
  }

  /**
   * Resolves when `host` has heard its peers since one of them was killed at `killedAtMs` and started anew. So long as a silence is
   * allowed to last nobody can tell; a host that says nothing of silence afterwards has heard them.
   */
  async hearsAgain(host: string, killedAtMs: number): Promise<void> {
    const { peerSilenceMsMax, heartbeatPeriodMs } = timingDefaults;
    const toldByMs = killedAtMs + peerSilenceMsMax + 2 * heartbeatPeriodMs;
    await until(
      `${host} hears its peers again`,
      () => performance.now() > toldByMs && this.silentPeersOf(host).length === 0,
    );
  }

  agent(host: string): Program {
    const found = this.agents.get(host);
    if (found === undefined) throw new Error(`no agent ${host}`);
    return found;
  }

  /** Powers a guest on and waits until its init says that it is ready. */
  async bootVm(name: string, host: string, index: number): Promise<BedVm> {
    const vm = await this.startVm(name, host, index);
    await until(`${name} is ready`, () => this.console(vm).includes(`skein-guest: ready ${name}`), 90_000);
    return vm;
  }

  /** Of the VM with that number. */
  addressesOf(index: number): { readonly address: string; readonly mac: string } {
    return { address: `10.77.0.${10 + index}`, mac: `52:54:00:00:00:${(16 + index).toString(16)}` };
  }

  async startVm(name: string, host: string, index: number, extraArguments = ''): Promise<BedVm> {
    const { address, mac } = this.addressesOf(index);
    const machine: MachineSpec = {
      memoryMib: this.#options.guestMemoryMib ?? guestMemoryMib,
      image: this.#image?.digest ?? '',
      nics: [{ mac, segment: 'lan' }],
      bootArguments: `skein.hostname=${name} skein.ip=${address}/24 ${extraArguments}`.trim(),
      cpu: { reservationMhz: 0, shares: 1000 },
    };
    const vm: BedVm = { vm: `vm-${index.toString(16).padStart(16, '0')}`, name, machine, host, epoch: 0 };
    const command = { operation: this.nextOperation(), vm: vm.vm, name, machine, expectEpoch: 0 };
    const { epoch } = await this.link(host).request('vm.start', command, { deadlineMs: commandDeadlineMs });
    vm.epoch = epoch;
    this.#vms.push(vm);
    this.#sendView();
    await this.attach(vm);
    return vm;
  }

  async stopVm(vm: BedVm): Promise<void> {
    const command = { operation: this.nextOperation(), vm: vm.vm, epoch: vm.epoch };
    await this.link(vm.host).request('vm.stop', command, { deadlineMs: commandDeadlineMs });
    await until(`${vm.name} is off`, () => this.report(vm.host, vm)?.state === 'stopped');
    this.#vms.splice(this.#vms.indexOf(vm), 1);
  }

  /** Reads the VM's console from the host where it is now; a target shows it once it has the lease. */
  async attach(vm: BedVm, host = vm.host): Promise<void> {
    const { hear } = this.#options;
    const text = this.#consoles.get(vm.vm) ?? new ConsoleText((piece) => hear?.(piece, vm.vm));
    this.#consoles.set(vm.vm, text);
    const request = { vm: vm.vm };
    const reply = await this.link(host).request('console.attach', request, {
      deadlineMs: commandDeadlineMs,
    });
    text.add(reply.position, reply.backlog);
  }

  console(vm: BedVm): string {
    return this.#consoles.get(vm.vm)?.text ?? '';
  }

  type(vm: BedVm, text: string): void {
    this.link(vm.host).notify('console.input', { vm: vm.vm, bytes: new Uint8Array(Buffer.from(text)) });
  }

  report(host: string, vm: BedVm): VmReport | undefined {
    return this.#status.get(host)?.vms.findLast((report) => report.vm === vm.vm);
  }

  /** From now on the others look for a host's peer link on a network where nobody answers; null: where it is. */
  hide(host: string, network: NetworkKind | null): void {
    if (network === null) this.#hidden.delete(host);
    else this.#hidden.set(host, network);
    this.#sendView();
  }

  /** Whom a host says it does not hear. */
  silentPeersOf(host: string): string[] {
    const { silentPeers } = this.#status.get(host) ?? { silentPeers: [] };
    return silentPeers.map((peer) => `${peer.host} ${peer.network}`);
  }

  /** Tells source and target to begin; `sourceAddress` may name a relay instead. */
  async beginMigration(
    vm: BedVm,
    to: string,
    via?: (source: { address: string; port: number }) => Promise<{ address: string; port: number }>,
    settings: Partial<MigrationSettings> = {},
  ): Promise<string> {
    const operation = this.nextOperation();
    const { vm: id, epoch, name, machine, host } = vm;
    const deadlineMs = 60_000;
    const common = { operation, vm: id, epoch };
    const source = await this.link(host).request(
      'migration.source',
      {
        ...common,
        targetHost: to,
        settings: { ...migrationSettingsDefaults, deadlineMs, ...settings },
      },
      { deadlineMs: commandDeadlineMs },
    );
    const { address, port } = via === undefined ? source : await via(source);
    await this.link(to).request(
      'migration.target',
      { ...common, name, machine, sourceHost: host, sourceAddress: address, sourcePort: port, deadlineMs },
      { deadlineMs: commandDeadlineMs },
    );
    return operation;
  }

  /** Waits for one side's record. */
  recordOf(operation: string, side: 'source' | 'target', deadlineMs = 60_000): Promise<MigrationRecord> {
    return until(
      `the ${side} of ${operation} ends`,
      () => this.ended.find((ended) => ended.side === side && ended.record.operation === operation)?.record,
      deadlineMs,
    );
  }

  /** A whole migration; throws unless it committed. */
  async migrate(vm: BedVm, to: string, settings: Partial<MigrationSettings> = {}): Promise<MigrationRecord> {
    const operation = await this.beginMigration(vm, to, undefined, settings);
    const record = await this.recordOf(operation, 'source');
    await this.recordOf(operation, 'target');
    if (record.outcome !== 'committed') throw new Error(`not committed: ${record.reason}`);
    await this.adopt(vm, to, record.epochAfter);
    return record;
  }

  /** From now on the VM counts as there. */
  async adopt(vm: BedVm, host: string, epoch: number): Promise<void> {
    vm.host = host;
    vm.epoch = epoch;
    this.#sendView();
    await this.attach(vm);
  }

  /** Asks all hosts to have templates ready. */
  want(templates: readonly TemplateRecipe[]): void {
    this.#templates = templates;
    this.#sendView();
  }

  link(host: string): AgentLink {
    const found = this.#links.get(host);
    if (found === undefined) throw new Error(`${host} has no link`);
    return found;
  }

  nextOperation(): string {
    this.#operations += 1;
    return `op-${this.#operations.toString(16).padStart(16, '0')}`;
  }

  async close(): Promise<void> {
    const programs = [...this.agents.values(), ...(this.#storage === null ? [] : [this.#storage])];
    for (const program of programs) program.kill('SIGKILL');
    await Promise.all(programs.map((program) => program.ended));
    await this.#listener?.close();
    rmSync(this.folder, { recursive: true, force: true });
  }

  async #listen(): Promise<void> {
    this.#listener = await listen({
      host: `${this.#network}.1.1`,
      port: 0,
      protocol: agentCoordinatorProtocol,
      own: { role: 'coordinator', name: 'coordinator', bootId: randomBytes(16).toString('hex') },
      authentication: { kind: 'none' },
      maxPayloadBytes: 8 << 20,
      handlers: {
        requests: {
          'agent.register': ({ identity, status }, link) => {
            this.#identities.set(identity.name, identity);
            this.#links.set(identity.name, link);
            this.#status.set(identity.name, status);
            this.#sendView();
            return { view: this.#view() };
          },
          heartbeat: ({ sequence }) => ({ sequence, granted: true, ttlMs: 1500 }),
          'host.network-changes': () => ({}),
          'migration.ended': (ended) => {
            this.ended.push(ended);
            return {};
          },
        },
        notices: {
          'agent.status': (status, { peer }) => void this.#status.set(peer.name, status),
          'migration.progress': (progress) => void this.progress.push(progress),
          'console.output': ({ vm, position, bytes }) => this.#consoles.get(vm)?.add(position, bytes),
        },
      },
    });
  }

  #sendView(): void {
    const view = this.#view();
    for (const link of this.#links.values()) link.notify('cluster.view', view);
  }

  #view(): ClusterView {
    this.#version += 1;
    const owners: MacOwner[] = this.#vms.flatMap(({ vm, host, epoch, machine }) =>
      machine.nics.map(({ mac, segment }) => ({ mac, segment, vm, host, epoch })),
    );
    const peers = [...this.#identities.values()].map(({ name, addresses, peerPorts, vxlanPort }) => {
      const nowhere = this.#hidden.get(name) === undefined ? {} : { [this.#hidden.get(name) ?? '']: 9 };
      return { host: name, addresses, peerPorts: { ...peerPorts, ...nowhere }, vxlanPort };
    });
    return {
      version: this.#version,
      segments: [{ name: 'lan', vni: 77, network: 'guest-a' }],
      peers,
      owners,
      templates: [...this.#templates],
    };
  }
}

/** Console bytes put together by their positions: a backlog and what is said meanwhile overlap in any order. */
class ConsoleText {
  text = '';
  readonly #hear: (piece: string) => void;
  #end = 0;
  #later: { position: number; bytes: Uint8Array }[] = [];

  constructor(hear: (piece: string) => void) {
    this.#hear = hear;
  }

  add(position: number, bytes: Uint8Array): void {
    if (position > this.#end && this.#end > 0) {
      this.#later.push({ position, bytes });
      return;
    }
    const known = this.#end === 0 ? 0 : this.#end - position;
    if (known > bytes.length) return;
    const piece = Buffer.from(bytes.subarray(known)).toString('latin1');
    this.text += piece;
    this.#end = position + bytes.length;
    if (piece !== '') this.#hear(piece);
    for (const next of this.#later.splice(0)) this.add(next.position, next.bytes);
  }
}
