/** The one ordered stream of what happened. A position is never given twice; the oldest events go first. */
import type { DatabaseSync } from 'node:sqlite';
import type { ClusterEvent } from '@skein/shared';
import { z } from 'zod';
import { readStored } from '../stored-json.ts';

const eventsKept = 100_000;
/** Old ones are cut this often, not at each insert. */
const pruneEvery = 1000;

const StoredDetails = z.record(z.string(), z.unknown());

export class EventTable {
  readonly #database: DatabaseSync;
  #last = 0;

  constructor(database: DatabaseSync) {
    this.#database = database;
    this.reload();
  }

  /** Position of the newest event; 0: none yet. */
  get last(): number {
    return this.#last;
  }

  append(event: Omit<ClusterEvent, 'sequence'>): void {
    const { lastInsertRowid } = this.#database
      .prepare('INSERT INTO events (at_ms, type, subject, message, details) VALUES (?, ?, ?, ?, ?)')
      .run(
        event.atMs,
        event.type,
        event.subject,
        event.message.slice(0, 1000),
        JSON.stringify(event.details),
      );
    this.#last = Number(lastInsertRowid);
    if (this.#last % pruneEvery === 0) {
      this.#database.prepare('DELETE FROM events WHERE sequence <= ?').run(this.#last - eventsKept);
    }
  }

  reload(): void {
    const row = this.#database.prepare("SELECT seq FROM sqlite_sequence WHERE name = 'events'").get();
    this.#last = Number(row?.seq ?? 0);
  }

  /** Up to `limit` events after a position, oldest first. */
  after(sequence: number, limit: number): ClusterEvent[] {
    return this.#database
      .prepare('SELECT * FROM events WHERE sequence > ? ORDER BY sequence LIMIT ?')
      .all(sequence, limit)
      .map((row) => ({
        sequence: Number(row.sequence),
        atMs: Number(row.at_ms),
        type: String(row.type),
        subject: String(row.subject),
        message: String(row.message),
        details: readStored(StoredDetails, row.details, `event ${row.sequence}`),
      }));
  }
}
