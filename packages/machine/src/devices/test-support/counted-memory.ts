/** Guest RAM that counts accesses, so that a test can bound a device's work without a clock. */
import { PlainMemory } from './plain-memory.ts';

export class CountedMemory extends PlainMemory {
  /** Reads of 16 bits, of which a descriptor takes one or two, and writes of bytes. */
  accesses = 0;

  override read16(address: number): number {
    this.accesses++;
    return super.read16(address);
  }

  override write(address: number, bytes: Uint8Array): void {
    this.accesses++;
    super.write(address, bytes);
  }
}
