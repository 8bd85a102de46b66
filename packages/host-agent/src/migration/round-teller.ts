/** Tells the agent how far a migration's source is: while a round is sent, and when it has ended. */
import type { RoundProgress } from '@skein/shared';
import type { VmControlBlock } from '../vm/control-block.ts';
import type { MigrationLog } from './migration-log.ts';
import type { TransferEvent } from './transfer-channel.ts';

const periodMs = 250;

export interface RoundTellerOptions {
  readonly log: MigrationLog;
  /** Of the VM: how much its vCPU is slowed. */
  readonly control: VmControlBlock;
  readonly tell: (event: TransferEvent) => void;
  /** Of the round at work; null: none is. */
  readonly current: () => RoundProgress | null;
}

export class RoundTeller {
  readonly #options: RoundTellerOptions;

  constructor(options: RoundTellerOptions) {
    this.#options = options;
  }

  /** Resolves as the round does. */
  async during<T>(round: Promise<T>): Promise<T> {
    const ticking = setInterval(() => this.#tellCurrent(), periodMs);
    return await round.finally(() => clearInterval(ticking));
  }

  ended(pagesRemaining: number): void {
    this.#tell(pagesRemaining, null);
  }

  #tellCurrent(): void {
    const current = this.#options.current();
    if (current !== null) this.#tell(current.pagesTotal - current.pages, current);
  }

  #tell(pagesRemaining: number, currentRound: RoundProgress | null): void {
    const { log, control, tell } = this.#options;
    const { throttlePercent } = control;
    const phase = 'pre-copy';
    tell({
      type: 'progress',
      progress: log.progress({ phase, pagesRemaining, throttlePercent, currentRound }),
    });
  }
}
