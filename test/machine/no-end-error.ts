export type Side = 'qemu' | 'skein';

/** A machine, or both, did not come to the end of its batch in time: it waits for ever, or turns in circles. */
export class NoEndError extends Error {
  override readonly name = 'NoEndError';
  readonly sides: readonly Side[];

  constructor(sides: readonly Side[], message: string) {
    super(message);
    this.sides = sides;
  }
}
