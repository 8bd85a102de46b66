/** Hosts that ever registered: what their agents last said of themselves, and what people want of them. */
import type { DatabaseSync } from 'node:sqlite';
import { HostIdentity, type HostName } from '@skein/shared';
import { readStored, toStored } from '../stored-json.ts';

export class HostTable {
  readonly #database: DatabaseSync;
  readonly #byName = new Map<HostName, HostIdentity>();
  readonly #inMaintenance = new Set<HostName>();

  constructor(database: DatabaseSync) {
    this.#database = database;
    this.reload();
  }

  get(name: HostName): HostIdentity | undefined {
    return this.#byName.get(name);
  }

  /** By name. */
  all(): HostIdentity[] {
    return [...this.#byName.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  put(identity: HostIdentity): void {
    this.#database
      .prepare(
        'INSERT INTO hosts (name, identity) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET identity = excluded.identity',
      )
      .run(identity.name, toStored(HostIdentity, identity, `host ${identity.name}`));
    this.#byName.set(identity.name, identity);
  }

  isInMaintenance(name: HostName): boolean {
    return this.#inMaintenance.has(name);
  }

  /** Of a host that is known. */
  setMaintenance(name: HostName, isOn: boolean): void {
    this.#database.prepare('UPDATE hosts SET is_in_maintenance = ? WHERE name = ?').run(isOn ? 1 : 0, name);
    if (isOn) this.#inMaintenance.add(name);
    else this.#inMaintenance.delete(name);
  }

  delete(name: HostName): void {
    this.#database.prepare('DELETE FROM hosts WHERE name = ?').run(name);
    this.#byName.delete(name);
    this.#inMaintenance.delete(name);
  }

  reload(): void {
    this.#byName.clear();
    this.#inMaintenance.clear();
    for (const row of this.#database
      .prepare('SELECT name, identity, is_in_maintenance FROM hosts')
      .iterate()) {
      const identity = readStored(HostIdentity, row.identity, `host ${row.name}`);
      this.#byName.set(identity.name, identity);
      if (row.is_in_maintenance === 1) this.#inMaintenance.add(identity.name);
    }
  }
}
