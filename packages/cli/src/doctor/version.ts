/** Versions as programs print them: `20.10.24+dfsg1`, `v2.26.1-4`. Only the numbers before any suffix count. */

/** Null where no number stands. */
export function parseVersion(text: string): readonly number[] | null {
  const numbers = /(\d+)\.(\d+)(?:\.(\d+))?/.exec(text);
  return numbers === null ? null : numbers.slice(1).map((part) => Number(part ?? 0));
}

export function isOlder(version: readonly number[], than: readonly number[]): boolean {
  for (const [index, least] of than.entries()) {
    const part = version[index] ?? 0;
    if (part !== least) return part < least;
  }
  return false;
}
