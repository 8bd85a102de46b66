/**
 * Which cluster a command means: the one in a state folder that was named; else the compose project that was named; else
 * the one in the default state folder; else, if there is none, the compose project of the default name.
 */
import { type ClusterFile, defaultStateFolder, noCluster, readClusterFile } from '../cluster/state-folder.ts';
import type { Bed } from './bed.ts';
import { projectName } from './compose-project.ts';
import { ContainersBed } from './containers-bed.ts';
import { NamespacesBed } from './namespaces-bed.ts';
import { ProcessesBed } from './processes-bed.ts';

export type MeantCluster =
  /** `file` is null where the folder holds no cluster and a compose project cannot be meant. */
  | { readonly kind: 'folder'; readonly folder: string; readonly file: ClusterFile | null }
  | { readonly kind: 'containers'; readonly project: string; readonly folder: string };

/** @throws OperationError store.corrupt, config.unreadable */
export async function meantCluster(
  stateFolder: string | undefined,
  environment: NodeJS.ProcessEnv = process.env,
): Promise<MeantCluster> {
  const isSet = (name: string): boolean => (environment[name] ?? '') !== '';
  const folder = stateFolder ?? defaultStateFolder(environment);
  const isFolderNamed = stateFolder !== undefined || isSet('SKEIN_STATE');
  const project = projectName(environment);
  if (!isFolderNamed && isSet('SKEIN_PROJECT')) return { kind: 'containers', project, folder };
  const file = await readClusterFile(folder);
  if (file === null && !isFolderNamed) return { kind: 'containers', project, folder };
  return { kind: 'folder', folder, file };
}

/** @throws OperationError store.corrupt, config.unreadable, cluster.not-running */
export async function findBed(stateFolder: string | undefined): Promise<Bed> {
  const meant = await meantCluster(stateFolder);
  if (meant.kind === 'containers') return new ContainersBed(meant.project);
  const { folder, file } = meant;
  if (file === null) throw noCluster(folder);
  return file.bed === 'namespaces' ? new NamespacesBed(folder, file) : new ProcessesBed(folder, file);
}
