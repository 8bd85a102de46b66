/**
 * Makes the templates that this cluster's guests start from and that this host lacks, one after the other, beside its
 * guests: a machine without vNICs boots up to where the template is taken. It is no VM - it has no lease, for nothing
 * of it can leave this host - and it gives way to one that needs its memory.
 */
import type { CoreModules } from '@skein/machine';
import type { Doorbell } from '@skein/network';
import { type TemplateRecipe, toProblem } from '@skein/shared';
import type { Logger } from 'pino';
import { releaseMemorySoon } from '../memory-release.ts';
import { VmControlBlock } from '../vm/control-block.ts';
import type { GuestStart } from '../vm/guest-start.ts';
import type { SpareMachines } from '../vm/spare-machines.ts';
import type { VmOrigin } from '../vm/vm-channel.ts';
import { VmRunner } from '../vm/vm-runner.ts';
import type { TemplateStore } from './template-store.ts';

export interface TemplateMakerOptions {
  readonly core: CoreModules;
  readonly guests: GuestStart;
  readonly templates: TemplateStore;
  readonly machines: SpareMachines;
  readonly doorbell: Doorbell;
  /** What VMs leave of this host's memory. */
  readonly freeMemoryMib: () => number;
  readonly log: Logger;
}

/** The first guest of its kind leaves a template when it has booted: time for it to do so. */
const settleMs = 10_000;
/** Many times what a boot takes on the slice of a busy host that it gets. */
const makeDeadlineMs = 100_000;
const retryMs = 30_000;
const withoutDeadline = 2n ** 63n - 1n;

interface Making {
  readonly memoryMib: number;
  readonly control: VmControlBlock;
  readonly stop: (reason: string) => void;
}

export class TemplateMaker {
  readonly #options: TemplateMakerOptions;
  /** What could not be made here is not tried again by this process. */
  readonly #impossible = new Set<string>();
  #wanted: readonly TemplateRecipe[] = [];
  #making: Making | null = null;
  #timer: NodeJS.Timeout | null = null;
  #isBusy = false;
  #isClosed = false;

  constructor(options: TemplateMakerOptions) {
    this.#options = options;
  }

  /** The machine at work, for the division of this host's CPU. */
  get control(): VmControlBlock | null {
    return this.#making?.control ?? null;
  }

  /** Level-triggered: all that is wanted now. */
  want(recipes: readonly TemplateRecipe[]): void {
    const isNew = JSON.stringify(recipes) !== JSON.stringify(this.#wanted);
    this.#wanted = recipes;
    if (isNew && recipes.length > 0) this.#schedule(settleMs);
  }

  /** A VM is about to take so much memory of what is free. */
  giveWayTo(memoryMib: number): void {
    const making = this.#making;
    if (making === null || memoryMib + making.memoryMib <= this.#options.freeMemoryMib()) return;
    making.stop('a VM needs its memory');
  }

  close(): void {
    this.#isClosed = true;
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#making?.stop('the agent is stopping');
  }

  #schedule(delayMs: number): void {
    if (this.#isClosed || this.#timer !== null) return;
    this.#timer = setTimeout(() => {
      this.#timer = null;
      void this.#makeMissing();
    }, delayMs).unref();
  }

  async #makeMissing(): Promise<void> {
    if (this.#isBusy) {
      this.#schedule(retryMs);
      return;
    }
    this.#isBusy = true;
    let isAllThere = true;
    for (const recipe of this.#wanted) {
      const made = await this.#makeIfMissing(recipe).catch((error: unknown) => {
        this.#giveUp(recipe, toProblem(error).message);
        return true;
      });
      isAllThere &&= made;
    }
    this.#isBusy = false;
    if (!isAllThere) this.#schedule(retryMs);
  }

  /** False: later. */
  async #makeIfMissing(recipe: TemplateRecipe): Promise<boolean> {
    const { guests, templates, freeMemoryMib } = this.#options;
    if (this.#isClosed || this.#impossible.has(JSON.stringify(recipe))) return true;
    if ((await templates.find(recipe)) !== null) return true;
    if (recipe.memoryMib > freeMemoryMib() || !(await templates.claim(recipe))) return false;
    try {
      const origin = await guests.planTemplate(recipe);
      if (origin === null) this.#giveUp(recipe, 'its guests do not ask who they are');
      else await this.#run(recipe, origin);
      return this.#impossible.has(JSON.stringify(recipe)) || (await templates.find(recipe)) !== null;
    } finally {
      await templates.release(recipe);
    }
  }

  /** Resolves when the machine has ended, with or without a template. */
  async #run(recipe: TemplateRecipe, origin: VmOrigin): Promise<void> {
    const { core, machines, doorbell, log, templates } = this.#options;
    const control = new VmControlBlock();
    control.deadlineNs = withoutDeadline;
    const ended = Promise.withResolvers<void>();
    let reason: string | null = null;
    const runner = new VmRunner({
      machines,
      core,
      memoryMib: recipe.memoryMib,
      nics: [],
      control,
      switchDoorbell: doorbell,
      origin,
      onEvent: (event) => {
        if (event.type === 'template-saved') log.info({ ...recipe, ...event }, 'template made');
        else if (event.type === 'template-failed' || event.type === 'failed') reason = event.message;
        else if (event.type === 'power') reason = `the guest: power ${event.action}`;
        else if (event.type === 'ended') ended.resolve();
      },
    });
    setImmediate(() => machines.refill());
    const stop = (why: string): void => {
      log.info({ ...recipe, reason: why }, 'template given up for now');
      control.revoke();
      runner.stop();
    };
    this.#making = { memoryMib: recipe.memoryMib, control, stop };
    // This host may have had no time for it: another attempt is made later.
    const late = `the guest did not ask who it is within ${makeDeadlineMs / 1000} s`;
    const timer = setTimeout(() => stop(late), makeDeadlineMs).unref();
    await ended.promise;
    clearTimeout(timer);
    this.#making = null;
    releaseMemorySoon();
    if (reason !== null) this.#giveUp(recipe, reason);
    await templates.prune();
  }

  #giveUp(recipe: TemplateRecipe, reason: string): void {
    this.#impossible.add(JSON.stringify(recipe));
    this.#options.log.warn({ ...recipe, reason }, 'no template can be made: such guests boot their kernel');
  }
}
