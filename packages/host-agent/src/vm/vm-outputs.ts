/**
 * What leaves a guest, on the vCPU's thread: console bytes to the main thread, frames into the rings of the
 * virtual switch. Nothing waits: a full ring drops and counts (architecture: Inputs). And what enters: frames.
 */
import type { MessagePort } from 'node:worker_threads';
import type { Machine, MachineOutput } from '@skein/machine';
import { FrameRing } from '@skein/network';
import type { VmEvent, VmNic } from './vm-channel.ts';

/** So much of frames is withheld, as much as a ring has room for; what is more is dropped and counted. */
const withheldBytesMax = 1 << 19;
/** A guest gets at most so many frames between two slices: a flood must not starve its vCPU. */
const framesPerSliceMax = 64;

type FrameOutput = Extract<MachineOutput, { readonly type: 'frame' }>;
type Withholdable = Exclude<MachineOutput, { readonly type: 'console' }>;

export interface VmOutputsOptions {
  readonly port: Pick<MessagePort, 'postMessage'>;
  readonly nics: readonly VmNic[];
}

export class VmOutputs {
  readonly #port: Pick<MessagePort, 'postMessage'>;
  readonly #nics: readonly { readonly transmit: FrameRing; readonly receive: FrameRing }[];
  #console: Uint8Array[] = [];
  /** Null: frames and the guest's end leave as they come. */
  #withheld: Withholdable[] | null = null;
  #withheldBytes = 0;
  #emittedBytes = 0;
  hasEnded = false;

  constructor(options: VmOutputsOptions) {
    this.#port = options.port;
    this.#nics = options.nics.map((nic) => ({
      transmit: FrameRing.attach(nic.transmitRing),
      receive: FrameRing.attach(nic.receiveRing),
    }));
  }

  /** The machine's sink. Views of guest memory are copied: they are valid only during the call. */
  readonly emit = (output: MachineOutput): void => {
    switch (output.type) {
      case 'console':
        this.#emittedBytes += output.bytes.length;
        this.#console.push(output.bytes.slice());
        break;
      case 'frame':
        this.#emittedBytes += output.frame.length;
        if (this.#withheld === null) this.#letGo(output);
        else this.#hold(output, this.#withheld);
        break;
      case 'power':
        if (this.#withheld === null) this.#letGo(output);
        else this.#withheld.push(output);
        break;
    }
  };

  /** What the guest wrote on its console, and in frames. */
  get emittedBytes(): number {
    return this.#emittedBytes;
  }

  /** From here on no frame leaves, and no end, until they are released. The console's bytes wait at the main thread, as those of every guest without a lease. */
  withhold(): void {
    this.#withheld ??= [];
  }

  /** In its order. */
  release(): void {
    const withheld = this.#withheld ?? [];
    this.#withheld = null;
    for (const output of withheld) this.#letGo(output);
  }

  #hold(output: FrameOutput, withheld: Withholdable[]): void {
    this.#withheldBytes += output.frame.length;
    if (this.#withheldBytes > withheldBytesMax) this.#nics[output.nic]?.transmit.drop();
    else withheld.push({ ...output, frame: new Uint8Array(output.frame) });
  }

  #letGo(output: Withholdable): void {
    switch (output.type) {
      case 'frame':
        this.#nics[output.nic]?.transmit.push(output.frame);
        break;
      case 'power':
        this.flush();
        this.hasEnded = true;
        this.#tell({ type: 'power', action: output.action, exitCode: output.exitCode });
        break;
    }
  }

  flush(): void {
    if (this.#console.length > 0) {
      this.#tell({ type: 'console', bytes: joined(this.#console) });
      this.#console = [];
    }
  }

  /** Gives the guest the frames that the switch left for it. */
  takeFrames(machine: Machine): void {
    this.#nics.forEach((nic, index) => {
      nic.receive.drain(framesPerSliceMax, (frame) => machine.apply({ type: 'frame', nic: index, frame }));
    });
  }

  /** Asks the guest to announce its addresses (virtio-net GUEST_ANNOUNCE): gratuitous ARP after a move. */
  announce(machine: Machine): void {
    this.#nics.forEach((_, index) => {
      machine.apply({ type: 'announce', nic: index });
    });
  }

  #tell(event: VmEvent): void {
    this.#port.postMessage(event);
  }
}

function joined(chunks: readonly Uint8Array[]): Uint8Array {
  if (chunks.length === 1 && chunks[0] !== undefined) return chunks[0];
  const whole = new Uint8Array(chunks.reduce((sum, chunk) => sum + chunk.length, 0));
  let offset = 0;
  for (const chunk of chunks) {
    whole.set(chunk, offset);
    offset += chunk.length;
  }
  return whole;
}
