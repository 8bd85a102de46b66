/** A cluster that `skein up` started on loopback addresses: signals kill, stop and continue its processes. */
import { OperationError } from '@skein/shared';
import type { ClusterFile } from '../cluster/state-folder.ts';
import type { Bed, NetworkBed, ProgramName } from './bed.ts';
import { Programs } from './programs.ts';

export class ProcessesBed implements Bed {
  readonly kind = 'processes';
  readonly #programs: Programs;

  constructor(stateFolder: string, file: ClusterFile) {
    this.#programs = new Programs(stateFolder, file, async () => []);
  }

  kill(program: ProgramName): Promise<void> {
    return this.#programs.kill(program);
  }

  pause(program: ProgramName): Promise<void> {
    return this.#programs.pause(program);
  }

  resume(program: ProgramName): Promise<void> {
    return this.#programs.resume(program);
  }

  networks(): NetworkBed {
    throw new OperationError({
      code: 'bed.unsupported',
      message:
        'the hosts of this cluster are processes on loopback addresses: there are no networks between them to cut or ' +
        'shape, only kill, pause and resume; `skein up --bed namespaces` and `docker compose up` make clusters that ' +
        'have networks',
    });
  }
}
