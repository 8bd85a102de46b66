/** What a vCPU's thread does at the target before its guest comes, as the source's hints allow; over with the first step. */
import type { Machine } from '@skein/machine';
import type { DoneAhead } from '@skein/shared';
import { AllocateAhead } from './allocate-ahead.ts';
import { DecodeAhead } from './decode-ahead.ts';
import type { HintCommand, TransferCommand } from './vm-channel.ts';

export type AheadMachine = Pick<Machine, 'allocatePages'> & {
  readonly usedCode: Pick<Machine['usedCode'], 'decode' | 'dropRewritten'>;
};

export class AheadOfGuest {
  readonly #allocate: AllocateAhead;
  readonly #decode: DecodeAhead;

  /** `tellDecoded`: for each `decode-ahead` that was heard, when it has ended. */
  constructor(machine: AheadMachine, tellDecoded: () => void) {
    this.#allocate = new AllocateAhead(machine);
    this.#decode = new DecodeAhead(machine.usedCode, tellDecoded);
  }

  hear(hint: HintCommand): void {
    if (hint.type === 'decode-ahead') this.#decode.begin(hint.usedCode);
    else this.#allocate.add(hint.firstPage, hint.pages);
  }

  /**
   * Until it is done or `isWanted`, for which is looked each tenth of a millisecond or so; false if nothing was done. In a loop of its
   * own: the vCPU's would be compiled for a guest that does not run, and be thrown away when it does.
   */
  goOn(isWanted: () => boolean): boolean {
    let hasDone = false;
    while (!isWanted() && this.#piece()) hasDone = true;
    return hasDone;
  }

  /** The guest takes its first step after this; a second time nothing happens. */
  finish(): Omit<DoneAhead, 'headStartSteps'> {
    this.#allocate.finish();
    this.#decode.finish();
    return { allocatedPages: this.#allocate.allocatedPages, decodedPages: this.#decode.decodedPages };
  }

  /** Memory first: somebody is about to need it. */
  #piece(): boolean {
    return this.#allocate.goOn() || this.#decode.goOn();
  }
}

/** Hints are answered otherwise than other commands, or not at all. */
export function isHint(command: TransferCommand): command is HintCommand {
  return command.type === 'decode-ahead' || command.type === 'allocate-ahead';
}
