/** What a cluster in namespaces could leave on a machine: its processes, and others that hold its namespaces. */
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';

/** Whose command line names something in the folder; a process that is ending has none any more. */
export function processesOf(folder: string): { readonly pid: number; readonly commandLine: string }[] {
  return pids().flatMap((pid) => {
    const commandLine = attempt(() => readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' '));
    return commandLine?.includes(`${folder}/`) === true ? [{ pid, commandLine }] : [];
  });
}

/** Those in which the cluster's processes are and this one is not. */
export function namespacesOf(folder: string): ReadonlySet<string> {
  const found = processesOf(folder).flatMap(({ pid }) => namespaces(pid));
  const own = namespaces(process.pid);
  return new Set(found.filter((namespace) => !own.includes(namespace)));
}

/** A namespace with a process in it is there; one without has neither process nor name here (namespaces(7)). */
export function holdersOf(held: ReadonlySet<string>): number[] {
  return pids().filter((pid) => namespaces(pid).some((namespace) => held.has(namespace)));
}

function namespaces(pid: number): string[] {
  return ['net', 'mnt', 'user'].flatMap(
    (kind) => attempt(() => readlinkSync(`/proc/${pid}/ns/${kind}`)) ?? [],
  );
}

function pids(): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number);
}

function attempt<T>(look: () => T): T | null {
  try {
    return look();
  } catch {
    return null; // It has just ended.
  }
}
