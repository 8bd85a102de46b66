/** What was decided for each VM. `epoch` is the one of the last start or migration known to have succeeded. */
import type { DatabaseSync } from 'node:sqlite';
import { Epoch, HostName, VmId } from '@skein/shared';
import { z } from 'zod';
import type { Halt } from '../../policy/inventory.ts';
import { readStored } from '../stored-json.ts';

export interface Desired {
  readonly vm: VmId;
  readonly host: HostName | null;
  readonly epoch: Epoch;
  readonly halt: Halt | null;
  readonly waitingReason: string | null;
}

const StoredHalt = z.strictObject({ kind: z.enum(['stopped', 'failed']), reason: z.string() });
const StoredRow = z.object({
  vm: VmId,
  host: HostName.nullable(),
  epoch: Epoch,
  waiting_reason: z.string().nullable(),
});

export class DesiredTable {
  readonly #database: DatabaseSync;
  readonly #byVm = new Map<VmId, Desired>();

  constructor(database: DatabaseSync) {
    this.#database = database;
    this.reload();
  }

  /** What nothing was decided for yet is nowhere. */
  get(vm: VmId): Desired {
    return this.#byVm.get(vm) ?? { vm, host: null, epoch: 0, halt: null, waitingReason: null };
  }

  set(vm: VmId, change: Partial<Omit<Desired, 'vm'>>): void {
    const desired = { ...this.get(vm), ...change };
    const halt = desired.halt === null ? null : JSON.stringify(desired.halt);
    this.#database
      .prepare(
        'INSERT OR REPLACE INTO desired (vm, host, epoch, halt, waiting_reason) VALUES (?, ?, ?, ?, ?)',
      )
      .run(vm, desired.host, desired.epoch, halt, desired.waitingReason);
    this.#byVm.set(vm, desired);
  }

  /** The row itself goes with the VM's (foreign key). */
  forget(vm: VmId): void {
    this.#byVm.delete(vm);
  }

  reload(): void {
    this.#byVm.clear();
    for (const row of this.#database.prepare('SELECT * FROM desired').iterate()) {
      const what = `the desired state of ${row.vm}`;
      const { waiting_reason, ...rest } = readStored(StoredRow, JSON.stringify(row), what);
      const halt = row.halt === null ? null : readStored(StoredHalt, row.halt, what);
      this.#byVm.set(rest.vm, { ...rest, halt, waitingReason: waiting_reason });
    }
  }
}
