/** A machine did not come to the end of its batch in time: it waits for ever, or turns in circles. */
export class NoEndError extends Error {
  override readonly name = 'NoEndError';
  readonly side: 'qemu' | 'skein';

  constructor(side: 'qemu' | 'skein', message: string) {
    super(message);
    this.side = side;
  }
}
