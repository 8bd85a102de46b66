/** How a command ends: by returning (0), by an error (its code), or with a code of its own, as `machine run` does. */
let exitCode = 0;

/** The command has done its work and ends with this code. */
export function finishWith(code: number): void {
  exitCode = code;
}

export function finishedWith(): number {
  return exitCode;
}
