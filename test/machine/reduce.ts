/**
 * Leaves out ever smaller runs of parts as long as what remains still has the property. Source: Zeller, Hildebrandt,
 * "Simplifying and Isolating Failure-Inducing Input" (the complements of delta debugging, all of a size at once).
 */

/**
 * @param indexOfFirst which of these selections still has the property, undefined for none; asked for all of one
 *   size at a time, so that they can be tried together
 * @returns the parts that are left: leaving out any one of them loses the property
 */
export async function reduce<Part>(
  parts: readonly Part[],
  indexOfFirst: (selections: readonly (readonly Part[])[]) => Promise<number | undefined>,
): Promise<readonly Part[]> {
  let kept = parts;
  let length = kept.length;
  while (kept.length > 0) {
    const selections = withoutRuns(kept, Math.min(length, kept.length));
    const index = await indexOfFirst(selections);
    const selection = index === undefined ? undefined : selections[index];
    if (selection !== undefined) kept = selection;
    else if (length === 1) break;
    else length = Math.ceil(Math.min(length, kept.length) / 2);
  }
  return kept;
}

function withoutRuns<Part>(parts: readonly Part[], length: number): readonly (readonly Part[])[] {
  return Array.from({ length: Math.ceil(parts.length / length) }, (_, run) =>
    parts.filter((_, index) => index < run * length || index >= (run + 1) * length),
  );
}
