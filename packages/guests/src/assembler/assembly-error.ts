/** A program that cannot be assembled: always a mistake of whoever wrote the program, never of its input. */

/**
 * - `assembly.operand`: a value that the instruction cannot hold
 * - `assembly.label`: a label that is missing or defined twice
 * - `assembly.layout`: a target out of reach, or sections that do not fit together
 */
export type AssemblyErrorCode = 'assembly.operand' | 'assembly.label' | 'assembly.layout';

export class AssemblyError extends Error {
  override readonly name = 'AssemblyError';
  readonly code: AssemblyErrorCode;

  constructor(code: AssemblyErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}
