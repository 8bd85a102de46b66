/** What `skein doctor` shows to people: grouped by who needs it, with what to do below what is not good. */
import { type BedName, beds, commandOf, type Finding, obstaclesOf } from './finding.ts';

const headings: Readonly<Record<string, string>> = {
  'processes namespaces containers': 'Every cluster',
  'processes namespaces': 'skein up, skein up --bed namespaces',
  processes: 'skein up',
  namespaces: 'skein up --bed namespaces',
  'namespaces containers': 'networks that can be shaped and cut',
  containers: 'docker compose up',
};

export function formatFindings(findings: readonly Finding[]): string {
  const width = Math.max(...findings.map(({ name }) => name.length));
  return Object.entries(headings)
    .map(([needs, heading]) => ({
      heading,
      group: findings.filter((finding) => finding.for.join(' ') === needs),
    }))
    .filter(({ group }) => group.length > 0)
    .map(
      ({ heading, group }) => `${heading}\n${group.map((finding) => formatFinding(finding, width)).join('')}`,
    )
    .join('');
}

function formatFinding({ verdict, name, found, advice }: Finding, width: number): string {
  const line = `  ${verdict.padEnd(7)}  ${name.padEnd(width)}  ${found}\n`;
  return advice === null ? line : `${line}${' '.repeat(11)}-> ${advice}\n`;
}

/** One line for each way to run a cluster: whether it will. */
function summaryOf(bed: BedName, findings: readonly Finding[]): string {
  const obstacles = obstaclesOf(bed, findings);
  if (obstacles.length === 0) return `${commandOf[bed]}: nothing stands in its way`;
  return `${commandOf[bed]}: will not work: ${obstacles.join(', ')}`;
}

export function summaries(findings: readonly Finding[], bed: BedName | undefined): string {
  return (bed === undefined ? beds : [bed]).map((one) => `${summaryOf(one, findings)}\n`).join('');
}
