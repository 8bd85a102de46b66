/**
 * The inventory on disk: one SQLite file, WAL, synchronous=FULL, so that what was acknowledged survives a power cut
 * (invariant 17). One process has it open (locking_mode=EXCLUSIVE; invariant 16). Spec, desired state, operations,
 * events and known hosts are here; status is not: agents and leases are the truth about what runs.
 * Source: sqlite.org, "Write-Ahead Logging", "PRAGMA Statements".
 */
import { existsSync, mkdirSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { invariant, OperationError } from '@skein/shared';
import { migrations } from './migrations.ts';
import { DeletedVmTable } from './tables/deleted-vms.ts';
import { DesiredTable } from './tables/desired.ts';
import { EventTable } from './tables/events.ts';
import { HostTable } from './tables/hosts.ts';
import { IdempotencyTable } from './tables/idempotency.ts';
import { JoinTokenTable } from './tables/join-tokens.ts';
import { OperationTable } from './tables/operations.ts';
import { VmTable } from './tables/vms.ts';

export const storeFile = 'inventory.sqlite';
export const backupFile = 'inventory.backup.sqlite';

export class Store {
  readonly path: string;
  readonly vms: VmTable;
  readonly deletedVms: DeletedVmTable;
  readonly desired: DesiredTable;
  readonly operations: OperationTable;
  readonly events: EventTable;
  readonly hosts: HostTable;
  readonly idempotency: IdempotencyTable;
  readonly joinTokens: JoinTokenTable;
  /** Counts starts of the coordinator on this store. */
  readonly incarnation: number;
  readonly #database: DatabaseSync;
  #isInTransaction = false;

  private constructor(path: string, database: DatabaseSync) {
    this.path = path;
    this.#database = database;
    this.vms = new VmTable(database);
    this.deletedVms = new DeletedVmTable(database);
    this.desired = new DesiredTable(database);
    this.operations = new OperationTable(database);
    this.events = new EventTable(database);
    this.hosts = new HostTable(database);
    this.idempotency = new IdempotencyTable(database);
    this.joinTokens = new JoinTokenTable(database);
    const row = database
      .prepare("UPDATE meta SET value = value + 1 WHERE key = 'incarnation' RETURNING value")
      .get();
    this.incarnation = Number(row?.value);
  }

  /**
   * Opens the inventory in `directory`, made if absent, and checks it whole.
   * @throws OperationError store.corrupt, cluster.running
   */
  static open(directory: string): Store {
    mkdirSync(directory, { recursive: true, mode: 0o700 });
    const path = join(directory, storeFile);
    let database: DatabaseSync | null = null;
    try {
      database = new DatabaseSync(path);
      prepare(database, path);
      const store = new Store(path, database);
      backUp(database, directory);
      return store;
    } catch (error) {
      database?.close();
      throw describe(error, path, directory);
    }
  }

  /** All of it or nothing; durable when it returns. Tables keep copies in memory: they follow a rollback. */
  transaction<T>(change: () => T): T {
    invariant(!this.#isInTransaction, 'transactions do not nest');
    this.#isInTransaction = true;
    this.#database.exec('BEGIN IMMEDIATE');
    try {
      const result = change();
      this.#database.exec('COMMIT');
      return result;
    } catch (error) {
      this.#database.exec('ROLLBACK');
      for (const table of this.#tablesInMemory) table.reload();
      throw error;
    } finally {
      this.#isInTransaction = false;
    }
  }

  get #tablesInMemory(): readonly { reload(): void }[] {
    return [this.vms, this.deletedVms, this.desired, this.operations, this.events, this.hosts];
  }

  close(): void {
    this.#database.close();
  }
}

function prepare(database: DatabaseSync, path: string): void {
  database.exec('PRAGMA busy_timeout = 0');
  database.exec('PRAGMA locking_mode = EXCLUSIVE');
  database.exec('PRAGMA journal_mode = WAL');
  database.exec('PRAGMA synchronous = FULL');
  database.exec('PRAGMA foreign_keys = ON');
  const problems = database.prepare('PRAGMA quick_check(3)').all();
  const first = String(problems[0]?.quick_check);
  if (first !== 'ok') throw corrupt(path, first, null);
  migrate(database, path);
}

function migrate(database: DatabaseSync, path: string): void {
  const version = Number(database.prepare('PRAGMA user_version').get()?.user_version);
  if (version > migrations.length) {
    throw corrupt(
      path,
      `it has version ${version}, this build knows ${migrations.length}: it was written by a newer one`,
      null,
    );
  }
  for (let next = version; next < migrations.length; next++) {
    database.exec('BEGIN IMMEDIATE');
    database.exec(migrations[next] ?? '');
    database.exec(`PRAGMA user_version = ${next + 1}`);
    database.exec('COMMIT');
  }
}

/** A copy of the sound inventory at each start: the way back. */
function backUp(database: DatabaseSync, directory: string): void {
  const fresh = join(directory, `${backupFile}.new`);
  rmSync(fresh, { force: true });
  database.prepare('VACUUM INTO ?').run(fresh);
  renameSync(fresh, join(directory, backupFile));
}

function describe(error: unknown, path: string, directory: string): unknown {
  if (error instanceof OperationError && error.code === 'store.corrupt' && error.message.includes(path)) {
    return error;
  }
  const { errcode, message } = error as { errcode?: number; message?: string };
  if (errcode !== undefined && (errcode & 0xff) === sqliteBusy) {
    return new OperationError({
      code: 'cluster.running',
      message: `another coordinator has ${path} open: stop it first`,
      cause: error,
    });
  }
  if (errcode === undefined && !(error instanceof OperationError)) return error;
  return corrupt(path, message ?? String(error), error, directory);
}

const sqliteBusy = 5; // sqlite.org, "Result and Extended Result Codes"

function corrupt(path: string, what: string, cause: unknown, directory?: string): OperationError {
  const backup = join(directory ?? join(path, '..'), backupFile);
  const wayBack = existsSync(backup)
    ? `copy ${backup} (made at the last good start) over it`
    : 'start with an empty inventory';
  return new OperationError({
    code: 'store.corrupt',
    message: `the inventory ${path} is damaged (${what}). Guests run on. To go on: move ${path} and ${path}-wal away, then ${wayBack} and start the coordinator again.`,
    cause,
    details: { file: path, backup: existsSync(backup) ? backup : null },
  });
}
