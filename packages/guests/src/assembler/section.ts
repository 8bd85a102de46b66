/** A section under construction: bytes that grow, and the places that wait for a label's address. */
import { AssemblyError } from './assembly-error.ts';
import type { OperandKind } from './operand.ts';

/** A field to be filled in when all labels are known. */
export type Fixup =
  /** A branch or jump: the distance from the instruction goes into the operand. */
  | { readonly kind: OperandKind; readonly at: number; readonly size: 2 | 4; readonly label: string }
  /** `auipc` + an instruction with a 12-bit immediate behind it. */
  | { readonly kind: 'pair'; readonly at: number; readonly size: 8; readonly label: string }
  /** The label's address as 64-bit data. */
  | { readonly kind: 'address'; readonly at: number; readonly size: 8; readonly label: string };

const initialBytes = 1024;
/** Programs here are small; a generator that runs away is stopped. */
const sectionBytesMax = 64 * 1024 * 1024;

export class Section {
  readonly fixups: Fixup[] = [];
  #bytes = new Uint8Array(initialBytes);
  #view = new DataView(this.#bytes.buffer);
  #length = 0;

  get length(): number {
    return this.#length;
  }

  get bytes(): Uint8Array {
    return this.#bytes.subarray(0, this.#length);
  }

  get view(): DataView {
    return this.#view;
  }

  append(bytes: Uint8Array): void {
    const at = this.reserve(bytes.length);
    this.#bytes.set(bytes, at);
  }

  /** Appends a little-endian number of this many bytes. */
  appendNumber(value: bigint, size: 1 | 2 | 4 | 8): void {
    const at = this.reserve(size);
    for (let byte = 0; byte < size; byte++) {
      this.#view.setUint8(at + byte, Number((value >> BigInt(8 * byte)) & 0xffn));
    }
  }

  /** Appends zeroes and returns where they begin. */
  reserve(length: number): number {
    const at = this.#length;
    const end = at + length;
    if (end > sectionBytesMax) {
      throw new AssemblyError('assembly.layout', `a section would exceed ${sectionBytesMax} bytes`);
    }
    if (end > this.#bytes.length) {
      const larger = new Uint8Array(Math.max(end, this.#bytes.length * 2));
      larger.set(this.bytes);
      this.#bytes = larger;
      this.#view = new DataView(larger.buffer);
    }
    this.#length = end;
    return at;
  }
}
