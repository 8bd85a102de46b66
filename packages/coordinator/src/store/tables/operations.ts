/** Operations, active and ended. One active operation a VM: the database itself refuses a second. */
import type { DatabaseSync } from 'node:sqlite';
import { invariant, type OperationId, type VmId } from '@skein/shared';
import { isEnded, OperationRecord } from '../../operations/record.ts';
import { readStored, toStored } from '../stored-json.ts';

/** Ended operations beyond this number go, the oldest first. */
const endedKept = 10_000;

export class OperationTable {
  readonly #database: DatabaseSync;
  readonly #active = new Map<OperationId, OperationRecord>();
  readonly #activeByVm = new Map<VmId, OperationRecord>();

  constructor(database: DatabaseSync) {
    this.#database = database;
    this.reload();
  }

  get(id: OperationId): OperationRecord | undefined {
    const active = this.#active.get(id);
    if (active !== undefined) return active;
    const row = this.#database.prepare('SELECT record FROM operations WHERE id = ?').get(id);
    return row === undefined ? undefined : readStored(OperationRecord, row.record, `operation ${id}`);
  }

  activeOf(vm: VmId): OperationRecord | undefined {
    return this.#activeByVm.get(vm);
  }

  /** In the order in which they were created, also after a restart. */
  active(): OperationRecord[] {
    return [...this.#active.values()];
  }

  /** The newest first. */
  list(limit: number): OperationRecord[] {
    return this.#database
      .prepare('SELECT id, record FROM operations ORDER BY created_at_ms DESC, rowid DESC LIMIT ?')
      .all(limit)
      .map((row) => readStored(OperationRecord, row.record, `operation ${row.id}`));
  }

  put(record: OperationRecord): void {
    const known = this.#activeByVm.get(record.vm);
    const isActive = !isEnded(record);
    invariant(!isActive || known === undefined || known.id === record.id, 'a VM has one operation at a time');
    this.#database
      .prepare(
        'INSERT INTO operations (id, vm, is_active, created_at_ms, record) VALUES (?, ?, ?, ?, ?) ON CONFLICT (id) DO UPDATE SET is_active = excluded.is_active, record = excluded.record',
      )
      .run(
        record.id,
        record.vm,
        isActive ? 1 : 0,
        record.createdAtMs,
        toStored(OperationRecord, record, `operation ${record.id}`),
      );
    if (isActive) {
      // A map keeps what is set again where it stood.
      this.#keep(record);
      return;
    }
    this.#active.delete(record.id);
    if (known?.id === record.id) this.#activeByVm.delete(record.vm);
    this.#prune();
  }

  reload(): void {
    this.#active.clear();
    this.#activeByVm.clear();
    for (const row of this.#database
      .prepare('SELECT id, record FROM operations WHERE is_active = 1 ORDER BY rowid')
      .iterate()) {
      this.#keep(readStored(OperationRecord, row.record, `operation ${row.id}`));
    }
  }

  #keep(record: OperationRecord): void {
    this.#active.set(record.id, record);
    this.#activeByVm.set(record.vm, record);
  }

  #prune(): void {
    this.#database
      .prepare(
        'DELETE FROM operations WHERE is_active = 0 AND rowid <= (SELECT max(rowid) FROM operations) - ?',
      )
      .run(endedKept);
  }
}
