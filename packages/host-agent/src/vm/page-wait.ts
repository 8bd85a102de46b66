/** A guest that runs before all of its memory is here waits, in the middle of an instruction, for exactly the page that it needs. */
import type { MachineMemory } from '@skein/machine';
import type { VmControlBlock } from './control-block.ts';
import type { PageCall } from './vm-channel.ts';

/** Who waits for anything looks around this often although nothing wakes it. */
const lookAroundMs = 250;
/** Meanwhile its lease may run out, and come back: its deadline is looked at this often. */
const frozenPollMs = 10;

export interface PageWaitOptions {
  readonly memory: Pick<MachineMemory, 'waitForPage'>;
  readonly control: Pick<VmControlBlock, 'isAllowed'>;
  readonly call: (call: PageCall) => void;
}

export class PageWait {
  readonly #options: PageWaitOptions;
  readonly #never = new Int32Array(new SharedArrayBuffer(4));
  #waitNs = 0n;

  constructor(options: PageWaitOptions) {
    this.#options = options;
  }

  /** Returns when the page is there and the guest may go on. */
  wait(page: number): void {
    const { memory, control, call } = this.#options;
    const startedNs = process.hrtime.bigint();
    call({ type: 'page-wanted', page });
    while (!memory.waitForPage(page, lookAroundMs)) {
      // Who ends a VM whose pages come no more ends this thread.
    }
    // Not on the attention word: nobody takes from it here, and once it is set it is no wait.
    while (!control.isAllowed(process.hrtime.bigint())) Atomics.wait(this.#never, 0, 0, frozenPollMs);
    const waitNs = process.hrtime.bigint() - startedNs;
    this.#waitNs += waitNs;
    call({ type: 'page-awaited', waitMs: Number(waitNs) / 1e6 });
  }

  /** How long it waited since the last call. */
  takeWaitNs(): bigint {
    const waitNs = this.#waitNs;
    this.#waitNs = 0n;
    return waitNs;
  }
}
