/** What a check of `skein doctor` says. */

/** Ways to run a cluster on this machine; each needs something else of it. */
export const beds = ['processes', 'namespaces', 'containers'] as const;
export type BedName = (typeof beds)[number];

/** The command that starts a cluster that way. */
export const commandOf: Readonly<Record<BedName, string>> = {
  processes: 'skein up',
  namespaces: 'skein up --bed namespaces',
  containers: 'docker compose up --wait',
};

/** warning: it works without, or only later. missing: something does not work. */
export type Verdict = 'good' | 'warning' | 'missing';

export interface Finding {
  readonly name: string;
  /** Who needs it. */
  readonly for: readonly BedName[];
  readonly verdict: Verdict;
  readonly found: string;
  readonly advice: string | null;
}

export function good(name: string, needs: readonly BedName[], found: string): Finding {
  return { name, for: needs, verdict: 'good', found, advice: null };
}

export function warning(name: string, needs: readonly BedName[], found: string, advice: string): Finding {
  return { name, for: needs, verdict: 'warning', found, advice };
}

export function missing(name: string, needs: readonly BedName[], found: string, advice: string): Finding {
  return { name, for: needs, verdict: 'missing', found, advice };
}

/** The checks that say that this way to run a cluster will fail. */
export function obstaclesOf(bed: BedName, findings: readonly Finding[]): readonly string[] {
  return findings
    .filter((finding) => finding.verdict === 'missing' && finding.for.includes(bed))
    .map(({ name }) => name);
}
