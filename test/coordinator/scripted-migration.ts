/** The two agents' part of a migration, step by step as a test wants it; the lease is passed for real. */
import { MigrationRecord, type OperationId } from '@skein/shared';
import type { ScriptedAgent, ScriptedVm } from './scripted-agent.ts';

export class ScriptedMigration {
  readonly operation: OperationId;
  readonly source: ScriptedAgent;
  readonly target: ScriptedAgent;
  readonly name: string;

  constructor(operation: OperationId, source: ScriptedAgent, target: ScriptedAgent, name: string) {
    this.operation = operation;
    this.source = source;
    this.target = target;
    this.name = name;
  }

  /** The lease passes, the guest goes on at the target; nobody has told the coordinator yet. */
  async pass(): Promise<void> {
    const from = this.#vm(this.source);
    const to = this.#vm(this.target);
    const epoch = await this.source.leases.pass(from.vm, from.epoch, this.target.options.name);
    to.epoch = epoch;
    to.console = from.console;
    to.state = 'running';
    from.state = 'stopped';
    from.reason = 'migrated away';
    this.target.changed();
    this.source.changed();
  }

  /** The target gives up what it had received. */
  discard(): void {
    const vm = this.target.vmNamed(this.name);
    if (vm === undefined) return;
    vm.state = 'stopped';
    vm.reason = 'migration aborted';
    this.target.changed();
  }

  tell(side: 'source' | 'target', outcome: 'committed' | 'aborted', reason: string | null = null): void {
    this[side].migrationEnded(side, this.#record(side, outcome, reason));
  }

  async commit(): Promise<void> {
    await this.pass();
    this.tell('target', 'committed');
    this.tell('source', 'committed');
  }

  #vm(agent: ScriptedAgent): ScriptedVm {
    const vm = agent.vmNamed(this.name);
    if (vm === undefined) throw new Error(`${agent.options.name} has no ${this.name}`);
    return vm;
  }

  #record(
    side: 'source' | 'target',
    outcome: 'committed' | 'aborted',
    reason: string | null,
  ): MigrationRecord {
    const known = [...this.source.vms.values()].find(({ name }) => name === this.name);
    const before = known?.epoch ?? 0;
    const isWhole = side === 'source' && outcome === 'committed';
    return MigrationRecord.parse({
      operation: this.operation,
      vm: known?.vm ?? 'vm-0000000000000000',
      from: this.source.options.name,
      to: this.target.options.name,
      mode: 'pre-copy',
      outcome,
      reason,
      epochBefore: before,
      epochAfter: outcome === 'committed' ? before + 1 : before,
      phases: { precopyMs: 100, stopAndCopyMs: 5, postcopyMs: 1 },
      rounds: [],
      pages: 1,
      zeroPages: 0,
      freePages: 0,
      bytes: 4096,
      totalMs: 106,
      downtimeMs: 5,
      downtime: {
        boundaryWaitMs: 0.5,
        lastPagesMs: 2,
        stateMs: 1,
        verifyMs: 0.5,
        leasePassMs: 0.5,
        resumeMs: 0.5,
      },
      clockOffsetMs: 0,
      clockOffsetErrorMs: 0.1,
      stateHashSource: '00000000000000aa',
      stateHashTarget: '00000000000000aa',
      stateHashSourceFull: isWhole ? '00000000000000aa' : null,
    });
  }
}
