/** A cluster that `skein up` started: processes on loopback addresses, which signals kill, stop and continue. */
import { OperationError } from '@skein/shared';
import { isRunning } from '../cluster/process.ts';
import type { ClusterFile, ClusterProcess } from '../cluster/state-folder.ts';
import type { Bed, NetworkBed, ProgramName } from './bed.ts';

export class ProcessesBed implements Bed {
  readonly kind = 'processes';
  readonly #file: ClusterFile;

  constructor(file: ClusterFile) {
    this.#file = file;
  }

  kill(program: ProgramName): Promise<void> {
    return this.#signal(program, 'SIGKILL');
  }

  pause(program: ProgramName): Promise<void> {
    return this.#signal(program, 'SIGSTOP');
  }

  resume(program: ProgramName): Promise<void> {
    return this.#signal(program, 'SIGCONT');
  }

  networks(): NetworkBed {
    throw new OperationError({
      code: 'bed.unsupported',
      message:
        'the hosts of this cluster are processes on loopback addresses: there are no networks between them to cut or ' +
        'shape, only kill, pause and resume; `docker compose up` makes a cluster that has networks',
    });
  }

  /** A pid is trusted only while its command line is the one that we started. */
  async #signal(program: ProgramName, signal: NodeJS.Signals): Promise<void> {
    const found = this.#find(program);
    if (!(await isRunning(found))) {
      throw new OperationError({
        code: 'host.wrong-state',
        message: `${program} (pid ${found.pid}) does not run any more`,
      });
    }
    process.kill(found.pid, signal);
  }

  #find(program: ProgramName): ClusterProcess {
    const found = this.#file.processes.find(({ name }) => name === program);
    if (found !== undefined) return found;
    const known = this.#file.processes.map(({ name }) => name).sort();
    throw new OperationError({
      code: 'host.not-found',
      message: `there is no ${program} in this cluster; there are ${known.join(', ')}`,
    });
  }
}
