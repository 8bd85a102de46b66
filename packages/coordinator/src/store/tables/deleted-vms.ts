/** Ids of deleted VMs: a copy that turns up later belongs to nobody and is fenced. */
import type { DatabaseSync } from 'node:sqlite';
import type { VmId } from '@skein/shared';

export class DeletedVmTable {
  readonly #database: DatabaseSync;
  readonly #ids = new Set<VmId>();

  constructor(database: DatabaseSync) {
    this.#database = database;
    this.reload();
  }

  has(id: VmId): boolean {
    return this.#ids.has(id);
  }

  add(id: VmId, name: string): void {
    this.#database.prepare('INSERT OR REPLACE INTO deleted_vms (id, name) VALUES (?, ?)').run(id, name);
    this.#ids.add(id);
  }

  reload(): void {
    this.#ids.clear();
    for (const row of this.#database.prepare('SELECT id FROM deleted_vms').iterate()) {
      this.#ids.add(String(row.id));
    }
  }
}
