/** Answers to changes that came with an Idempotency-Key: the same key gets the same answer and no second effect. */
import type { DatabaseSync } from 'node:sqlite';

export interface StoredAnswer {
  readonly requestHash: string;
  readonly status: number;
  readonly body: string;
}

const answersKept = 10_000;

export class IdempotencyTable {
  readonly #database: DatabaseSync;

  constructor(database: DatabaseSync) {
    this.#database = database;
  }

  get(key: string): StoredAnswer | null {
    const row = this.#database.prepare('SELECT * FROM idempotency WHERE key = ?').get(key);
    if (row === undefined) return null;
    return {
      requestHash: String(row.request_hash),
      status: Number(row.status),
      body: String(row.body),
    };
  }

  put(key: string, answer: StoredAnswer, createdAtMs: number): void {
    this.#database
      .prepare(
        'INSERT INTO idempotency (key, request_hash, status, body, created_at_ms) VALUES (?, ?, ?, ?, ?)',
      )
      .run(key, answer.requestHash, answer.status, answer.body, createdAtMs);
    this.#database
      .prepare(
        'DELETE FROM idempotency WHERE rowid NOT IN (SELECT rowid FROM idempotency ORDER BY rowid DESC LIMIT ?)',
      )
      .run(answersKept);
  }
}
