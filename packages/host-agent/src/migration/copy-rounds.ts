/**
 * The rounds of a migration's source: which pages each one sends, what it cost, and what comes after it. The first sends
 * everything ever written, each later one what got dirty since, the last one what is left of a suspended guest.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { countPages, type MachineMemory } from '@skein/machine';
import {
  type ConvergenceDecision,
  convergencePolicy,
  decideNextRound,
  doesRestFollow,
  type MigrationRound,
  type MigrationSettings,
} from '@skein/shared';
import type { VmControlBlock } from '../vm/control-block.ts';
import type { MigrationLog } from './migration-log.ts';
import { addPages, removePages } from './page-bitmap.ts';
import type { PageSender, SentPages } from './page-sender.ts';
import type { VmLink } from './vm-link.ts';

export interface CopyRoundsOptions {
  readonly memory: MachineMemory;
  readonly vm: VmLink;
  /** What each round cost is noted there. */
  readonly log: MigrationLog;
  readonly sender: PageSender;
  readonly settings: MigrationSettings;
  /** Of the VM: where its vCPU is slowed. */
  readonly control: VmControlBlock;
}

export interface PrecopyOutcome {
  readonly next: ConvergenceDecision['kind'];
  readonly remainingPages: number;
}

/** Downtime that is not last pages: verification, state, lease pass. From records on two cores. */
const fixedDowntimeMs = 4;

/** While a round is sent the dirty log is looked at this often, and on a slow link ten times a round. */
const followPeriodMs = 16;
const followedPart = 10;

export class CopyRounds {
  readonly #options: CopyRoundsOptions;
  #round = 0;
  /** Harvested when the last round ended, and not sent yet. */
  #pending: Uint32Array | null = null;
  /** What is left when the guest is suspended follows. */
  #isRestToFollow = false;

  constructor(options: CopyRoundsOptions) {
    this.#options = options;
  }

  /** Beside the running guest. Answers what comes next, by the predicted downtime. */
  async precopy(): Promise<PrecopyOutcome> {
    const { log, settings } = this.#options;
    if (settings.mode === 'post-copy') return await this.#leaveAll();
    this.#round += 1;
    const startedMs = log.elapsedMs;
    const pages = this.#round === 1 ? await this.#allPages() : await this.#dirtyPages();
    const { sent, durationMs, again } = await this.#sendFollowed(pages);
    addPages(again, await this.#harvest());
    this.#pending = again;
    const remainingPages = countPages(this.#pending);
    this.#note(sent, { startedMs, durationMs, remainingPages });
    const decision = this.#decide();
    const last = log.rounds.at(-1);
    if (last !== undefined) last.predictedDowntimeMs = decision.predictedDowntimeMs;
    return { next: decision.kind, remainingPages };
  }

  /**
   * What the guest writes again before its turn is left out: it would have to be sent once more anyway. `again`: what got dirty
   * meanwhile, as far as it is known. Source: Clark et al. 2005, "Live Migration of Virtual Machines" (5.1, pages that were dirtied since).
   */
  async #sendFollowed(
    pages: Uint32Array,
  ): Promise<{ readonly sent: SentPages; readonly durationMs: number; readonly again: Uint32Array }> {
    const { sender } = this.#options;
    const ended = new AbortController();
    const again = new Uint32Array(pages.length);
    const startedNs = process.hrtime.bigint();
    const following = this.#follow(again, ended.signal);
    // Heard below, when what was sent has ended.
    following.catch(() => {});
    try {
      const sent = await sender.send(pages, this.#round);
      await sender.drained();
      return { sent, durationMs: millisecondsSince(startedNs), again };
    } finally {
      ended.abort();
      await following;
    }
  }

  async #follow(again: Uint32Array, ended: AbortSignal): Promise<void> {
    const startedMs = performance.now();
    for (;;) {
      const periodMs = Math.max(followPeriodMs, (performance.now() - startedMs) / followedPart);
      await delay(periodMs, undefined, { signal: ended }).catch(() => {});
      if (ended.aborted) return;
      addPages(again, await this.#harvest());
      this.#options.sender.leaveOut(again);
    }
  }

  /** No round at all: everything follows. */
  async #leaveAll(): Promise<PrecopyOutcome> {
    this.#pending = await this.#allPages();
    this.#isRestToFollow = true;
    this.#options.log.precopyEnd = 'post-copy';
    return { next: 'stop-and-copy', remainingPages: countPages(this.#pending) };
  }

  /** The vCPU is slowed from now on if that is what comes of it. */
  #decide(): ConvergenceDecision {
    const { log, control, settings } = this.#options;
    const policy = convergencePolicy(settings, fixedDowntimeMs);
    const decision = decideNextRound(log.outcomes, policy);
    if (decision.kind === 'another-round') control.throttlePercent = decision.throttlePercent;
    else log.precopyEnd = decision.reason;
    this.#isRestToFollow = doesRestFollow(decision, policy);
    return decision;
  }

  /** Of a suspended guest: what is left goes, or is returned to follow later, a bit a page. */
  async last(): Promise<Uint32Array | null> {
    const { memory, sender, log } = this.#options;
    const pages = memory.takeDirty('migration');
    if (this.#pending !== null) addPages(pages, this.#pending);
    this.#pending = null;
    this.#round += 1;
    if (this.#isRestToFollow) {
      sender.withhold(pages);
      // What the target has from a round may be something else than zeros.
      if (this.#round === 1) log.freePagesLeftOut = removePages(pages, memory.freeBitmap());
      log.mark('lastPagesSentNs');
      return pages;
    }
    const startedMs = log.elapsedMs;
    const startedNs = process.hrtime.bigint();
    const sent = await sender.send(pages, this.#round, { isLast: true });
    log.mark('lastPagesSentNs');
    this.#note(sent, { startedMs, durationMs: millisecondsSince(startedNs), remainingPages: 0 });
    return null;
  }

  /** Of what follows. */
  get round(): number {
    return this.#round;
  }

  #note(
    sent: SentPages,
    {
      startedMs,
      durationMs,
      remainingPages,
    }: Pick<MigrationRound, 'startedMs' | 'durationMs' | 'remainingPages'>,
  ): void {
    const { log, control } = this.#options;
    log.rounds.push({
      round: this.#round,
      ...sent,
      startedMs,
      durationMs,
      throttlePercent: control.throttlePercent,
      bandwidthBytesPerS: durationMs > 0 ? (sent.bytes / durationMs) * 1000 : 0,
      dirtyPagesPerS: durationMs > 0 ? (remainingPages / durationMs) * 1000 : 0,
      remainingPages,
      predictedDowntimeMs: 0,
    });
  }

  /** What is dirtied from now on is in the accumulator. */
  async #allPages(): Promise<Uint32Array> {
    await this.#harvest();
    return this.#options.memory.touchedBitmap();
  }

  async #dirtyPages(): Promise<Uint32Array> {
    const pages = this.#pending ?? (await this.#harvest());
    this.#pending = null;
    return pages;
  }

  async #harvest(): Promise<Uint32Array> {
    await this.#options.vm.ask({ type: 'harvest' }, 'harvested');
    return this.#options.memory.takeDirty('migration');
  }
}

function millisecondsSince(startedNs: bigint): number {
  return Number(process.hrtime.bigint() - startedNs) / 1e6;
}
