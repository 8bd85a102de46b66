/** Specs: what people asked for. */
import type { DatabaseSync } from 'node:sqlite';
import { type VmId, VmSpec } from '@skein/shared';
import { readStored, toStored } from '../stored-json.ts';

export class VmTable {
  readonly #database: DatabaseSync;
  readonly #byId = new Map<VmId, VmSpec>();
  readonly #byName = new Map<string, VmSpec>();
  readonly #macs = new Set<string>();

  constructor(database: DatabaseSync) {
    this.#database = database;
    this.reload();
  }

  get(id: VmId): VmSpec | undefined {
    return this.#byId.get(id);
  }

  byName(name: string): VmSpec | undefined {
    return this.#byName.get(name);
  }

  all(): IterableIterator<VmSpec> {
    return this.#byId.values();
  }

  hasMac(mac: string): boolean {
    return this.#macs.has(mac);
  }

  put(spec: VmSpec): void {
    this.#database
      .prepare(
        'INSERT INTO vms (id, name, spec) VALUES (?, ?, ?) ON CONFLICT (id) DO UPDATE SET name = excluded.name, spec = excluded.spec',
      )
      .run(spec.id, spec.name, toStored(VmSpec, spec, `VM ${spec.name}`));
    this.#forget(spec.id);
    this.#keep(spec);
  }

  delete(id: VmId): void {
    this.#database.prepare('DELETE FROM vms WHERE id = ?').run(id);
    this.#forget(id);
  }

  reload(): void {
    this.#byId.clear();
    this.#byName.clear();
    this.#macs.clear();
    for (const row of this.#database.prepare('SELECT id, spec FROM vms ORDER BY name').iterate()) {
      this.#keep(readStored(VmSpec, row.spec, `VM ${row.id}`));
    }
  }

  #keep(spec: VmSpec): void {
    this.#byId.set(spec.id, spec);
    this.#byName.set(spec.name, spec);
    for (const { mac } of spec.machine.nics) this.#macs.add(mac);
  }

  #forget(id: VmId): void {
    const spec = this.#byId.get(id);
    if (spec === undefined) return;
    this.#byId.delete(id);
    this.#byName.delete(spec.name);
    for (const { mac } of spec.machine.nics) this.#macs.delete(mac);
  }
}
