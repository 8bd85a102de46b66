/** Looks again until something holds, with a deadline that fails by name; a look that throws is one that failed. */
const pauseMs = 200;

export async function eventually<T>(
  what: string,
  look: () => Promise<T | false>,
  deadlineMs = 60_000,
): Promise<T> {
  const endsAt = performance.now() + deadlineMs;
  let last: unknown = null;
  for (;;) {
    const found = await look().catch((error: unknown) => {
      last = error;
      return false as const;
    });
    if (found !== false) return found;
    if (performance.now() > endsAt) throw new Error(`${what}: not within ${deadlineMs} ms`, { cause: last });
    await new Promise((done) => setTimeout(done, pauseMs));
  }
}
