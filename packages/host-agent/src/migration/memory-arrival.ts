/** The memory of a guest that runs at the target before all of it is there: what is missing, and how long it waited for it. */
import type { MachineMemory } from '@skein/machine';
import type { TargetTimes } from '@skein/shared';
import type { PageCall } from '../vm/vm-channel.ts';

export class MemoryArrival {
  readonly #memory: MachineMemory;
  readonly #whole = Promise.withResolvers<string | null>();
  readonly #waits = { pages: 0, waitMs: 0, waitMsMax: 0 };
  #isFollowing = false;

  constructor(memory: MachineMemory) {
    this.#memory = memory;
  }

  /** The missing pages are known: they come after the commit. */
  begin(): void {
    this.#isFollowing = this.#memory.missingPages > 0;
  }

  /** Pages of this migration come after the commit, or did. */
  get isFollowing(): boolean {
    return this.#isFollowing;
  }

  /** How often, and how long, the guest waited. */
  get waits(): TargetTimes['waits'] {
    return this.#waits;
  }

  /** Null when all of the memory is there; else why the rest will not come. */
  whole(): Promise<string | null> {
    return this.#isFollowing ? this.#whole.promise : Promise.resolve(null);
  }

  /** After pages were applied. */
  applied(): void {
    if (this.#isFollowing && this.#memory.missingPages === 0) this.#whole.resolve(null);
  }

  /** Nothing more will come. */
  ended(reason: string): void {
    this.#whole.resolve(reason);
  }

  /** What the vCPU says; `ask` is for a page that it waits for. */
  hear(call: PageCall, ask: (page: number) => void): void {
    if (call.type === 'page-wanted') {
      if (this.#memory.isMissing(call.page)) ask(call.page);
      return;
    }
    this.#waits.pages += 1;
    this.#waits.waitMs += call.waitMs;
    this.#waits.waitMsMax = Math.max(this.#waits.waitMsMax, call.waitMs);
  }
}
