/** What the assembler makes: bytes at their addresses, ready for an ELF file or a flat image. */

export interface ProgramSegment {
  readonly name: 'text' | 'data';
  readonly address: number;
  readonly bytes: Uint8Array;
  /** At least bytes.length; the rest is zero when the program starts. */
  readonly memoryBytes: number;
}

export interface ListingLine {
  readonly address: number;
  readonly text: string;
}

export interface Program {
  readonly text: ProgramSegment;
  readonly data: ProgramSegment;
  readonly symbols: ReadonlyMap<string, number>;
  /** Every instruction in GNU syntax, in the order of addresses. */
  readonly listing: readonly ListingLine[];
}

/** The program as it lies in memory from the start of its text on; zeroed memory behind the data is left out. */
export function flatImage(program: Program): Uint8Array {
  const { text, data } = program;
  const isDataEmpty = data.bytes.length === 0;
  const length = isDataEmpty ? text.bytes.length : data.address - text.address + data.bytes.length;
  const image = new Uint8Array(length);
  image.set(text.bytes);
  if (!isDataEmpty) image.set(data.bytes, data.address - text.address);
  return image;
}
