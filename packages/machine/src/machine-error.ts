/** Failures of the machine package, which imports nothing of ours: same shape as the other packages' errors. */
export type MachineErrorCode =
  | 'machine.memory-size'
  | 'machine.image-format'
  | 'machine.image-too-large'
  | 'machine.boot-arguments'
  | 'machine.core-missing'
  | 'snapshot.invalid'
  | 'snapshot.version'
  | 'snapshot.other-machine'
  | 'template.not-possible'
  | 'log.invalid'
  | 'log.diverged';

export class MachineError extends Error {
  override readonly name = 'MachineError';
  readonly code: MachineErrorCode;

  constructor(code: MachineErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}
