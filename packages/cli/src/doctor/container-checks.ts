/** The containers of the cluster that is up, or half up: which have ended, and with which words. */
import { type ClusterContainer, clusterContainers, projectName } from '../bed/compose-project.ts';
import { outputOf } from './command-output.ts';
import { type Finding, good, warning } from './finding.ts';

const name = 'containers';
const containers = ['containers'] as const;

/** Nothing where the engine cannot be asked: that is another check's finding. */
export async function checkContainers(): Promise<readonly Finding[]> {
  const project = projectName();
  const all = await clusterContainers(project).catch(() => null);
  if (all === null) return [];
  if (all.length === 0) return [good(name, containers, `none of the project ${project}`)];
  const ended = all.filter(({ isRunning }) => !isRunning);
  const found = `${project}: ${all.length - ended.length} of ${all.length} run`;
  if (ended.length === 0) return [good(name, containers, found)];
  const words = await Promise.all(ended.map(lastWords));
  const advice = 'mend that and repeat: docker compose up --wait; or end it all: docker compose down';
  return [warning(name, containers, [found, ...words].join('; '), advice)];
}

async function lastWords({ containerName, id }: ClusterContainer): Promise<string> {
  const output = await outputOf('sh', '-c', 'docker logs --tail 1 "$1" 2>&1', 'sh', id);
  const words = output.kind === 'printed' ? output.text.trim() : '';
  return `${containerName} does not run${words === '' ? '' : `: ${words}`}`;
}
