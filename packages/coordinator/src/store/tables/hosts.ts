/** Hosts that ever registered, with what their agents last said of themselves. */
import type { DatabaseSync } from 'node:sqlite';
import { HostIdentity, type HostName } from '@skein/shared';
import { readStored, toStored } from '../stored-json.ts';

export class HostTable {
  readonly #database: DatabaseSync;
  readonly #byName = new Map<HostName, HostIdentity>();

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
      .prepare('INSERT OR REPLACE INTO hosts (name, identity) VALUES (?, ?)')
      .run(identity.name, toStored(HostIdentity, identity, `host ${identity.name}`));
    this.#byName.set(identity.name, identity);
  }

  delete(name: HostName): void {
    this.#database.prepare('DELETE FROM hosts WHERE name = ?').run(name);
    this.#byName.delete(name);
  }

  reload(): void {
    this.#byName.clear();
    for (const row of this.#database.prepare('SELECT name, identity FROM hosts').iterate()) {
      const identity = readStored(HostIdentity, row.identity, `host ${row.name}`);
      this.#byName.set(identity.name, identity);
    }
  }
}
