/** Skein's side: two agents and a storage service as processes, and one guest that goes from one to the other. */
import type { MigrationRecord } from '@skein/shared';
import { AgentBed, type BedVm } from '../../support/agent-bed.ts';
import { cpuSeconds } from '../cpu-time.ts';
import { downtimeBudgetMs, type Moved, type MovingGuest, type Side } from './moving-guest.ts';
import { ConsoleObserver } from './observer.ts';
import { type SkeinMigrationOptions, skeinMigration } from './skein-migration.ts';

const hosts = ['h1', 'h2'] as const;

interface Running {
  readonly bed: AgentBed;
  readonly vm: BedVm;
  readonly observer: ConsoleObserver;
}

export class SkeinBed {
  readonly #name: string;
  readonly #memoryMib: number;
  #bed: AgentBed | null = null;
  #running: Running | null = null;

  constructor(name: string, memoryMib: number) {
    this.#name = name;
    this.#memoryMib = memoryMib;
  }

  side(options: SkeinMigrationOptions): Side {
    return {
      name: 'skein',
      guest: async () => {
        this.#running ??= await this.#boot();
        return this.#guest(this.#running, options);
      },
      // What the source had is gone with the commit.
      takeBack: () => this.close(),
      discard: () => this.close(),
    };
  }

  async close(): Promise<void> {
    this.#running = null;
    await this.#bed?.close();
    this.#bed = null;
  }

  #guest({ bed, vm, observer }: Running, options: SkeinMigrationOptions): MovingGuest {
    return {
      observer,
      type: (text) => bed.type(vm, text),
      prepare: async () => {},
      migrate: async () => {
        const cpuBeforeS = agentsCpuS(bed);
        const fromMs = performance.now();
        const to = vm.host === 'h1' ? 'h2' : 'h1';
        const record = await skeinMigration(bed, vm, to, options);
        const toMs = performance.now();
        const cpuS = agentsCpuS(bed) - cpuBeforeS;
        if (record.outcome === 'unknown') throw new Error(`Skein: ${record.reason}`);
        const hasMoved = record.outcome === 'committed';
        if (hasMoved) await bed.adopt(vm, to, record.epochAfter);
        return movedOf(record, { fromMs, toMs }, cpuS);
      },
    };
  }

  async #boot(): Promise<Running> {
    const observer = new ConsoleObserver();
    const bed = await AgentBed.start(hosts, {
      // A template of the booted guest may stand beside it.
      memoryMib: 3 * this.#memoryMib,
      guestMemoryMib: this.#memoryMib,
      hear: (text) => observer.hear(text),
    });
    this.#bed = bed;
    return { bed, vm: await bed.bootVm(this.#name, hosts[0], 1), observer };
  }
}

function movedOf(record: MigrationRecord, window: Moved['window'], cpuS: number): Moved {
  const hasMoved = record.outcome === 'committed';
  // The last round is the suspended guest's: the one before it decided to suspend.
  const decisive = record.rounds.at(-2);
  const forecast = decisive === undefined ? '' : `, ${decisive.predictedDowntimeMs.toFixed(1)} ms predicted`;
  return {
    window,
    totalMs: record.totalMs,
    downtimeMs: record.downtimeMs,
    bytes: record.bytes,
    cpuS,
    throttlePercentMax: record.throttlePercentMax,
    isConverged: hasMoved && decisive !== undefined && decisive.predictedDowntimeMs <= downtimeBudgetMs,
    hasMoved,
    remark: hasMoved ? `${record.rounds.length} rounds${forecast}` : (record.reason ?? 'aborted'),
  };
}

function agentsCpuS(bed: AgentBed): number {
  return [...bed.agents.values()].reduce((sum, { pid }) => sum + cpuSeconds(pid), 0);
}
