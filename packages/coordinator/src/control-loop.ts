/**
 * The loop that keeps the cluster as people asked for it. Level-triggered: at each change, and each 100 ms, it takes
 * the inventory, asks the policies, and turns their decisions into operations. What it did not get done it sees again.
 */
import type { ClusterView, HostName, PeerHost, VmId } from '@skein/shared';
import { toProblem } from '@skein/shared';
import type { Logger } from 'pino';
import type { Environment } from './env.ts';
import type { Executor } from './operations/executor.ts';
import type { Note } from './operations/operation.ts';
import type { Inventory } from './policy/inventory.ts';
import { macOwners } from './policy/mac-owners.ts';
import { type ReconcileDecision, reconcile } from './policy/reconcile.ts';
import { planRestarts, type RestartDecision } from './policy/restart.ts';
import { wantedTemplates } from './policy/templates.ts';
import type { World } from './world.ts';

export interface ControlLoopOptions {
  readonly world: World;
  readonly env: Environment;
  readonly executor: Executor;
  readonly log: Logger;
  readonly sendView: (view: ClusterView) => void;
  readonly afterTurn: () => void;
}

const turnPeriodMs = 100;
/** While a host is not connected its VMs' leases are looked at this often. */
const leasePollMs = 50;
const fenceRepeatMs = 1000;
const fenceDeadlineMs = 3000;
/** Views of one start of the coordinator; the next start's are all newer. */
const viewsPerIncarnation = 2 ** 32;

export class ControlLoop {
  readonly #options: ControlLoopOptions;
  readonly #fencedAtMs = new Map<string, number>();
  #view: ClusterView;
  #viewContent = '';
  #isRunning = false;
  #isAgain = false;
  #leasesAskedAtMs = Number.NEGATIVE_INFINITY;
  #isAskingLeases = false;
  #timer: NodeJS.Timeout | null = null;
  #unsubscribe: (() => void) | null = null;

  constructor(options: ControlLoopOptions) {
    this.#options = options;
    const version = options.world.store.incarnation * viewsPerIncarnation;
    this.#view = { version, segments: [...options.world.segments], peers: [], owners: [], templates: [] };
    this.#updateView(options.world.inventory());
  }

  get view(): ClusterView {
    this.#updateView(this.#options.world.inventory());
    return this.#view;
  }

  start(): void {
    this.#timer = setInterval(() => this.#schedule(), turnPeriodMs / 2);
    this.#unsubscribe = this.#options.world.changes.subscribe(() => this.#schedule());
  }

  stop(): void {
    if (this.#timer !== null) clearInterval(this.#timer);
    this.#unsubscribe?.();
    this.#isRunning = true;
  }

  /** Changes of one moment make one turn; what changes during a turn makes one more. */
  #schedule(): void {
    this.#isAgain = true;
    if (this.#isRunning) return;
    this.#isRunning = true;
    setImmediate(() => {
      this.#isAgain = false;
      try {
        this.#turn();
      } catch (error) {
        this.#options.log.error({ err: error }, 'a turn of the control loop failed');
      }
      this.#isRunning = this.#timer === null;
      if (this.#isAgain) setTimeout(() => this.#schedule(), 1);
    });
  }

  #turn(): void {
    const { world, executor, afterTurn } = this.#options;
    this.#pollLeases();
    world.judge();
    const inventory = world.inventory();
    const decisions = reconcile(inventory);
    for (const decision of decisions) this.#carryOut(decision, inventory);
    this.#restart(decisions.length === 0 ? inventory : world.inventory());
    executor.turn();
    this.#updateView(world.inventory());
    afterTurn();
  }

  #carryOut(decision: ReconcileDecision, inventory: Inventory): void {
    const { world, executor } = this.#options;
    const { vm, reason } = decision;
    const spec = world.store.vms.get(vm);
    switch (decision.kind) {
      case 'adopt':
        world.atomically(() => {
          const { host, epoch } = decision;
          world.decide(vm, { host, epoch, halt: null, waitingReason: null });
          world.event('vm.adopted', `vm/${spec?.name ?? vm}`, reason, { host, epoch });
        });
        break;
      case 'stop':
        world.atomically(() => executor.create({ kind: 'vm-stop', vm, reason }));
        break;
      case 'fence':
        this.#fence(vm, decision.host, decision.epoch, reason);
        break;
      case 'halt': {
        const name = inventory.vms.find((candidate) => candidate.spec.id === vm)?.spec.name ?? vm;
        world.atomically(() => {
          if (spec !== undefined) world.store.vms.put({ ...spec, power: 'off' });
          world.decide(vm, { host: null, waitingReason: null });
          world.event('vm.powered-off', `vm/${name}`, `${name}: ${reason}`, { host: decision.host });
        });
        break;
      }
    }
  }

  #restart(inventory: Inventory): void {
    const { world } = this.#options;
    if (!world.mayTakeOver) return;
    for (const decision of planRestarts(inventory, world.timing)) {
      if (decision.kind === 'restart') this.#createRestart(decision);
      else this.#wait(decision.vm, decision.reason);
    }
  }

  #createRestart({ vm, from, host, reason }: Extract<RestartDecision, { kind: 'restart' }>): void {
    const { world, executor } = this.#options;
    const isHostWell = from !== null && world.hosts.get(from)?.verdict.state === 'connected';
    // A guest that reboots itself may do so as often as it likes.
    if (isHostWell && !reason.includes('the guest: power reboot')) world.restarted(vm);
    const notes: (Note & { atMs?: number })[] = isHostWell || from === null ? [] : this.#lossOf(from);
    world.atomically(() => {
      executor.create({
        kind: 'vm-restart',
        vm,
        reason,
        record: { host, formerHost: from },
        notes: [...notes, { name: 'placed', detail: reason }],
      });
    });
  }

  /** The first points of a failover's timeline. */
  #lossOf(from: HostName): (Note & { atMs?: number })[] {
    const host = this.#options.world.hosts.get(from);
    if (host === undefined) return [];
    const { heardAtMs, suspectedAtMs, failedAtMs } = host.moments;
    const at = (atMs: number | null): { atMs?: number } => (atMs === null ? {} : { atMs });
    return [
      { name: 'last heartbeat', detail: `of ${from}`, ...at(heardAtMs) },
      { name: 'suspected', detail: `${from} fell silent`, ...at(suspectedAtMs) },
      { name: 'declared failed', detail: host.verdict.reason ?? `${from} is gone`, ...at(failedAtMs) },
    ];
  }

  #wait(vm: VmId, reason: string): void {
    const { world } = this.#options;
    if (world.store.desired.get(vm).waitingReason === reason) return;
    const name = world.store.vms.get(vm)?.name ?? vm;
    world.atomically(() => {
      world.decide(vm, { waitingReason: reason });
      world.event('vm.waiting', `vm/${name}`, `${name} waits: ${reason}`);
    });
  }

  /** The agent notices by itself at its next renewal; this is only faster. */
  #fence(vm: VmId, host: HostName, epoch: number, reason: string): void {
    const { env, world, log } = this.#options;
    const key = `${vm}/${host}/${epoch}`;
    const nowMs = env.nowMs();
    if (nowMs - (this.#fencedAtMs.get(key) ?? Number.NEGATIVE_INFINITY) < fenceRepeatMs) return;
    if (this.#fencedAtMs.size > 10_000) this.#fencedAtMs.clear();
    if (!this.#fencedAtMs.has(key))
      world.event('vm.fenced', `host/${host}`, `${host}: ${reason}`, { vm, epoch });
    this.#fencedAtMs.set(key, nowMs);
    const body = { operation: `op-${env.randomHex(8)}`, vm, epoch };
    env.command(host, 'vm.stop', body, fenceDeadlineMs).catch((error: unknown) => {
      log.info({ vm, host, epoch, ...toProblem(error) }, 'a stale copy could not be stopped yet');
    });
  }

  #pollLeases(): void {
    const { world, env, log } = this.#options;
    const areAllWell = world.hostList.every(({ verdict }) => verdict.state === 'connected');
    const askedAtMs = env.nowMs();
    if (areAllWell || this.#isAskingLeases || askedAtMs - this.#leasesAskedAtMs < leasePollMs) return;
    this.#leasesAskedAtMs = askedAtMs;
    this.#isAskingLeases = true;
    env
      .listLeases()
      .then((leases) => world.noteLeases(leases, askedAtMs))
      .catch((error: unknown) => log.debug(toProblem(error), 'the leases could not be read'))
      .finally(() => {
        this.#isAskingLeases = false;
      });
  }

  #updateView(inventory: Inventory): void {
    const { world, sendView } = this.#options;
    const peers = world.hostList.flatMap(({ identity, verdict }): PeerHost[] => {
      const { name, addresses, peerPorts, vxlanPort } = identity;
      return verdict.state === 'failed' ? [] : [{ host: name, addresses, peerPorts, vxlanPort }];
    });
    const owners = macOwners(inventory.vms);
    const templates = wantedTemplates(inventory.vms);
    const content = JSON.stringify({ peers, owners, templates });
    if (content === this.#viewContent) return;
    this.#viewContent = content;
    this.#view = { ...this.#view, version: this.#view.version + 1, peers, owners, templates };
    sendView(this.#view);
  }
}
