/** A machine's side of one device, for tests: a plain memory, a clock set by hand, and a record of what came out. */
import type { DeviceEnvironment, GuestMemory, MachineOutput } from '../device.ts';
import { PlainMemory } from './plain-memory.ts';

export class BenchEnvironment implements DeviceEnvironment {
  readonly memory: GuestMemory;
  readonly outputs: MachineOutput[] = [];
  isInterrupting = false;
  isProcessingAsked = false;
  ticks = 0n;

  constructor(memory: GuestMemory = new PlainMemory(0x1000)) {
    this.memory = memory;
  }

  setInterrupt(asserted: boolean): void {
    this.isInterrupting = asserted;
  }

  requestProcessing(): void {
    this.isProcessingAsked = true;
  }

  guestTimeTicks(): bigint {
    return this.ticks;
  }

  emit(output: MachineOutput): void {
    this.outputs.push(output);
  }

  /** What came out on the console so far. */
  consoleText(): string {
    const decoder = new TextDecoder();
    return this.outputs
      .map((output) => (output.type === 'console' ? decoder.decode(output.bytes) : ''))
      .join('');
  }

  /** The frames that came out so far. */
  frames(): Uint8Array[] {
    return this.outputs.flatMap((output) => (output.type === 'frame' ? [output.frame] : []));
  }
}
