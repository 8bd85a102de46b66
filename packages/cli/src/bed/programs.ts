/** The processes that `skein up` started, as the one who breaks them has them: ended, stopped, started again. */
import { OperationError } from '@skein/shared';
import { placeProcess } from '../cluster/configuration.ts';
import { isRunning, startProcess } from '../cluster/process.ts';
import {
  type ClusterFile,
  type ClusterProcess,
  readClusterFile,
  writeClusterFile,
} from '../cluster/state-folder.ts';
import type { ProgramName } from './bed.ts';

/** What goes before the command line of a program that is started again. */
export type PrepareStart = (program: ProgramName) => Promise<readonly string[]>;

export class Programs {
  readonly #stateFolder: string;
  readonly #file: ClusterFile;
  readonly #prepareStart: PrepareStart;

  constructor(stateFolder: string, file: ClusterFile, prepareStart: PrepareStart) {
    this.#stateFolder = stateFolder;
    this.#file = file;
    this.#prepareStart = prepareStart;
  }

  kill(program: ProgramName): Promise<void> {
    return this.#signal(program, 'SIGKILL');
  }

  pause(program: ProgramName): Promise<void> {
    return this.#signal(program, 'SIGSTOP');
  }

  /** One that was killed is started again with the configuration that it had; nobody waits until it is ready. */
  async resume(program: ProgramName): Promise<void> {
    const found = this.#find(program);
    if (await isRunning(found)) process.kill(found.pid, 'SIGCONT');
    else await this.#startAgain(found);
  }

  /** @throws OperationError host.not-found, host.wrong-state */
  async running(program: ProgramName): Promise<ClusterProcess> {
    const found = this.#find(program);
    if (await isRunning(found)) return found;
    const message = `${program} (pid ${found.pid}) does not run any more; start it with: skein fault resume ${program}`;
    throw new OperationError({ code: 'host.wrong-state', message });
  }

  /** Agents that run. */
  async runningHosts(): Promise<readonly ClusterProcess[]> {
    const agents = this.#file.processes.filter(({ role }) => role === 'agent');
    const states = await Promise.all(agents.map(isRunning));
    return agents.filter((_, index) => states[index]);
  }

  /** A pid is trusted only while its command line is the one that we started. */
  async #signal(program: ProgramName, signal: NodeJS.Signals): Promise<void> {
    process.kill((await this.running(program)).pid, signal);
  }

  async #startAgain({ role, name }: ClusterProcess): Promise<void> {
    const place = placeProcess(this.#stateFolder, name);
    const wordsBefore = await this.#prepareStart(name);
    const { pid } = await startProcess({ role, name, place, wordsBefore, isDetached: true });
    // Another command may have started another one meanwhile.
    const file = (await readClusterFile(this.#stateFolder)) ?? this.#file;
    const processes = file.processes.map((one) => (one.name === name ? { ...one, pid } : one));
    await writeClusterFile(this.#stateFolder, { ...file, processes });
  }

  #find(program: ProgramName): ClusterProcess {
    const programs = this.#file.processes.filter(({ role }) => role !== 'gateway');
    const found = programs.find(({ name }) => name === program);
    if (found !== undefined) return found;
    const known = programs.map(({ name }) => name).sort();
    throw new OperationError({
      code: 'host.not-found',
      message: `there is no ${program} in this cluster; there are ${known.join(', ')}`,
    });
  }
}
