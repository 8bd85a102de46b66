/**
 * The agent's link to the coordinator on the management network. Level-triggered: registers with its whole status at
 * each connect, repeats the status each second and after each change, repeats records until they are acknowledged.
 */
import {
  type AgentStatus,
  agentCoordinatorProtocol,
  type ClusterView,
  type HostIdentity,
  type MigrationProgress,
  type MigrationRecord,
  OperationError,
  type OwnAddress,
  type SilentPeer,
  toProblem,
  type VmId,
} from '@skein/shared';
import { type Authentication, isRefusedForGood, KeptLink, type Link } from '@skein/transport';
import type { Logger } from 'pino';
import type { AddressChange } from './core/address-changes.ts';
import { UntoldChanges } from './core/untold-changes.ts';
import type { Hypervisor } from './hypervisor.ts';
import type { MigrationService } from './migration/migration-service.ts';
import { hostRefused } from './refusal.ts';

export interface CoordinatorSessionOptions {
  readonly identity: HostIdentity;
  readonly localAddress: OwnAddress;
  readonly coordinator: { readonly address: string; readonly port: number };
  readonly authentication: Authentication;
  readonly hypervisor: Hypervisor;
  readonly migrations: MigrationService;
  readonly silentPeers: () => readonly SilentPeer[];
  readonly log: Logger;
  readonly onView: (view: ClusterView) => void;
}

const statusPeriodMs = 1000;
/** Changes that come together are told together. */
const statusDelayMs = 5;
const requestDeadlineMs = 5000;
const retryPauseMs = 500;
/** Records that the coordinator has not taken yet; the oldest goes first. */
const recordsMax = 100;

type CoordinatorLink = Link<typeof agentCoordinatorProtocol, 'dialer'>;

interface EndedMigration {
  readonly side: 'source' | 'target';
  readonly record: MigrationRecord;
}

export class CoordinatorSession {
  readonly #options: CoordinatorSessionOptions;
  readonly #kept: KeptLink<typeof agentCoordinatorProtocol>;
  readonly #attached = new Set<VmId>();
  /** Attached, and behind: the guard held back what they said last. */
  readonly #withheld = new Set<VmId>();
  readonly #ended: EndedMigration[] = [];
  readonly #changes = new UntoldChanges();
  readonly #timer: NodeJS.Timeout;
  readonly #firstRegistration = Promise.withResolvers<void>();
  /** Of the newest view on the present link. */
  #viewVersion = -1;
  #registered: CoordinatorLink | null = null;
  #identity: HostIdentity;
  #statusIsDue = false;
  #isSendingRecords = false;
  #isTellingChanges = false;

  constructor(options: CoordinatorSessionOptions) {
    this.#options = options;
    this.#identity = options.identity;
    const { hypervisor, migrations } = options;
    this.#kept = new KeptLink({
      host: options.coordinator.address,
      port: options.coordinator.port,
      localAddress: options.localAddress,
      protocol: agentCoordinatorProtocol,
      own: { role: 'agent', name: options.identity.name, bootId: options.identity.bootId },
      authentication: options.authentication,
      maxPayloadBytes: 8 << 20,
      pauseMsMax: 500,
      handlers: {
        requests: {
          'vm.start': (command) => hypervisor.start(command),
          'vm.stop': (command) => hypervisor.stop(command),
          'migration.source': (command) => migrations.startSource(command),
          'migration.target': async (command) => {
            await migrations.startTarget(command);
            return {};
          },
          'migration.cancel': ({ operation }) => {
            migrations.cancel(operation);
            return {};
          },
          'migration.source-aborted': ({ operation, vm, reason }) => ({
            isUnderWay:
              migrations.sourceAborted(operation, reason) || hypervisor.find(vm)?.isPresent === true,
          }),
          'console.attach': ({ vm }) => this.#attach(vm),
          'console.detach': ({ vm }) => {
            this.#attached.delete(vm);
            this.#withheld.delete(vm);
            return {};
          },
        },
        notices: {
          'cluster.view': (view) => this.#takeView(view),
          'console.input': ({ vm, bytes }) => hypervisor.find(vm)?.runner?.input({ type: 'console', bytes }),
        },
      },
      onLink: (link) => {
        this.#viewVersion = -1;
        void this.#register(link);
      },
      onDown: (reason) => {
        this.#registered = null;
        this.#attached.clear();
        this.#withheld.clear();
        options.log.warn({ ...reason }, 'no link to the coordinator');
        if (!isRefusedForGood(reason)) return;
        const { address, port } = options.coordinator;
        const peer = `the coordinator at ${address}:${port}`;
        // Without effect once it was accepted: guests run here, and may outlast whatever this is.
        this.#firstRegistration.reject(hostRefused(options.identity.name, peer, reason));
      },
    });
    this.#timer = setInterval(() => this.#sendStatus(), statusPeriodMs);
    this.#firstRegistration.promise.catch(() => {}); // Whoever awaits it is told.
  }

  /**
   * Resolves when the coordinator has accepted this host for the first time.
   * @throws OperationError link.unauthenticated, link.protocol-version: it never will
   */
  get registered(): Promise<void> {
    return this.#firstRegistration.promise;
  }

  get isRegistered(): boolean {
    return this.#registered !== null;
  }

  /** Something changed: the status follows shortly. */
  changed(): void {
    if (this.#statusIsDue) return;
    this.#statusIsDue = true;
    setTimeout(() => this.#sendStatus(), statusDelayMs);
  }

  /**
   * The output guard stands here: nothing of a guest without a lease leaves this host. What a guest said just before it
   * froze follows when its lease is renewed; if it never is, nobody hears it.
   */
  consoleOutput(vm: VmId, position: number, bytes: Uint8Array): void {
    if (!this.#attached.has(vm)) return;
    if (!this.#mayTell(vm)) {
      this.#withheld.add(vm);
      return;
    }
    this.#tellWithheld();
    this.#registered?.notify('console.output', { vm, position, bytes });
  }

  /** Whether the coordinator hears this VM's console. */
  isAttached(vm: VmId): boolean {
    return this.#attached.has(vm);
  }

  /** A guest whose console the coordinator heard at another host runs here: it is told on from there. */
  tellOn(vm: VmId, from: number): void {
    if (this.#registered === null) return;
    this.#attached.add(vm);
    const { position, backlog } = this.#options.hypervisor.get(vm).console;
    const written = Math.min(position - from, backlog.length);
    if (written > 0) this.consoleOutput(vm, position - written, backlog.subarray(backlog.length - written));
  }

  #mayTell(vm: VmId): boolean {
    return this.#options.hypervisor.find(vm)?.control.isAllowed(process.hrtime.bigint()) ?? false;
  }

  /** The whole backlog: by its position the coordinator knows what it has of it. */
  #tellWithheld(): void {
    for (const vm of this.#withheld) {
      if (!this.#mayTell(vm)) continue;
      const { position, backlog } = this.#options.hypervisor.get(vm).console;
      const notice = { vm, position: position - backlog.length, bytes: backlog };
      this.#registered?.notify('console.output', notice);
      this.#withheld.delete(vm);
    }
  }

  /** Networks went or came: told now, or as soon as it can be, for the way to the coordinator may be among them. */
  networksChanged(changes: readonly AddressChange[], identity: HostIdentity): void {
    this.#changes.note(changes, monotonicMs());
    this.identityChanged(identity);
    void this.#tellChanges();
  }

  /** This host is connected otherwise than before: the coordinator hears of it now, or at the next connect. */
  identityChanged(identity: HostIdentity): void {
    if (JSON.stringify(identity) === JSON.stringify(this.#identity)) return;
    const hasMoved = identity.addresses.management !== this.#identity.addresses.management;
    this.#identity = identity;
    const { link } = this.#kept;
    if (hasMoved) this.#kept.redial('the management network changed');
    else if (link !== null) void this.#register(link);
  }

  progress(progress: MigrationProgress): void {
    this.#registered?.notify('migration.progress', progress);
  }

  migrationEnded(side: 'source' | 'target', record: MigrationRecord): void {
    this.#ended.push({ side, record });
    if (this.#ended.length > recordsMax) this.#ended.shift();
    void this.#sendRecords();
  }

  close(): void {
    clearInterval(this.#timer);
    this.#kept.close();
  }

  /** A view that comes in one piece with the answer to a registration is handled before it, and must not be taken back. */
  #takeView(view: ClusterView): void {
    if (view.version <= this.#viewVersion) return;
    this.#viewVersion = view.version;
    this.#options.onView(view);
  }

  async #register(link: CoordinatorLink): Promise<void> {
    const { log } = this.#options;
    try {
      const reply = await link.request(
        'agent.register',
        { identity: this.#identity, status: this.#status() },
        { deadlineMs: requestDeadlineMs },
      );
      this.#registered = link;
      this.#takeView(reply.view);
      log.info('registered with the coordinator');
      this.#firstRegistration.resolve();
      void this.#sendRecords();
      void this.#tellChanges();
    } catch (error) {
      log.warn({ ...toProblem(error) }, 'the coordinator did not accept this host');
      link.close('registration failed');
    }
  }

  #attach(vm: VmId): { position: number; backlog: Uint8Array } {
    const { console, control, name } = this.#options.hypervisor.get(vm);
    if (!control.isAllowed(process.hrtime.bigint())) {
      throw new OperationError({
        code: 'vm.wrong-state',
        message: `${name} holds no lease here: its console stays shut`,
      });
    }
    this.#attached.add(vm);
    return { position: console.position - console.backlog.length, backlog: console.backlog };
  }

  #status(): AgentStatus {
    const silentPeers = [...this.#options.silentPeers()];
    return { ...this.#options.hypervisor.status(), silentPeers };
  }

  #sendStatus(): void {
    this.#statusIsDue = false;
    this.#registered?.notify('agent.status', this.#status());
    this.#tellWithheld();
  }

  async #tellChanges(): Promise<void> {
    if (this.#isTellingChanges) return;
    this.#isTellingChanges = true;
    for (;;) {
      const changes = this.#changes.tell(monotonicMs());
      const link = this.#registered;
      if (changes.length === 0 || link === null) break;
      try {
        await link.request('host.network-changes', { changes }, { deadlineMs: requestDeadlineMs });
        this.#changes.acknowledged(changes);
      } catch {
        await new Promise((resolve) => setTimeout(resolve, retryPauseMs));
      }
    }
    this.#isTellingChanges = false;
  }

  async #sendRecords(): Promise<void> {
    if (this.#isSendingRecords) return;
    this.#isSendingRecords = true;
    while (this.#ended.length > 0) {
      const [next] = this.#ended;
      const link = this.#registered;
      if (next === undefined || link === null) break;
      try {
        await link.request('migration.ended', next, { deadlineMs: requestDeadlineMs });
        if (this.#ended[0] === next) this.#ended.shift();
      } catch {
        await new Promise((resolve) => setTimeout(resolve, retryPauseMs));
      }
    }
    this.#isSendingRecords = false;
  }
}

function monotonicMs(): number {
  return Number(process.hrtime.bigint()) / 1e6;
}
