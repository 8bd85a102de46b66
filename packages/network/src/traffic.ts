/** Counters of a port or of the uplink: what passed in each direction, and what was dropped for which reason. */
import { CounterBlock } from '@skein/shared';
import { type DropReason, dropReasons } from './forward.ts';

export interface FlowCounters {
  readonly frames: number;
  readonly bytes: number;
}

/** Directions as the switch sees them: `in` came from the guest or from peers, `out` went to them. */
export interface TrafficCounters {
  readonly in: FlowCounters;
  readonly out: FlowCounters;
  /** Only reasons that occurred. */
  readonly dropped: Readonly<Partial<Record<DropReason, number>>>;
}

const names = ['inFrames', 'inBytes', 'outFrames', 'outBytes', ...dropReasons] as const;

export class Traffic {
  readonly #counters: CounterBlock<(typeof names)[number]>;

  /** `buffer`: of a `Traffic` in another thread, which reads what is counted here. */
  constructor(buffer?: SharedArrayBuffer) {
    this.#counters = new CounterBlock(names, buffer);
  }

  get buffer(): SharedArrayBuffer {
    return this.#counters.buffer;
  }

  countIn(bytes: number): void {
    this.#counters.add('inFrames');
    this.#counters.add('inBytes', bytes);
  }

  countOut(bytes: number): void {
    this.#counters.add('outFrames');
    this.#counters.add('outBytes', bytes);
  }

  countDropped(reason: DropReason): void {
    this.#counters.add(reason);
  }

  counters(): TrafficCounters {
    const { inFrames, inBytes, outFrames, outBytes, ...drops } = this.#counters.readAll();
    return {
      in: { frames: inFrames, bytes: inBytes },
      out: { frames: outFrames, bytes: outBytes },
      dropped: Object.fromEntries(Object.entries(drops).filter(([, frames]) => frames > 0)),
    };
  }
}
