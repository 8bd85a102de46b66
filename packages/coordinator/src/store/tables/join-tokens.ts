/** Join tokens that were made and are not over. Only a hash of each secret is kept. */
import type { DatabaseSync } from 'node:sqlite';
import { JoinKind } from '@skein/shared';

export interface StoredJoinToken {
  readonly id: string;
  readonly kind: JoinKind;
  /** SHA-256, hexadecimal. */
  readonly secretHash: string;
  readonly createdAtMs: number;
  readonly expiresAtMs: number;
}

export class JoinTokenTable {
  readonly #database: DatabaseSync;

  constructor(database: DatabaseSync) {
    this.#database = database;
  }

  get(id: string): StoredJoinToken | null {
    const row = this.#database.prepare('SELECT * FROM join_tokens WHERE id = ?').get(id);
    return row === undefined ? null : fromRow(row);
  }

  /** The oldest first. */
  all(): StoredJoinToken[] {
    return this.#database.prepare('SELECT * FROM join_tokens ORDER BY created_at_ms, id').all().map(fromRow);
  }

  put({ id, kind, secretHash, createdAtMs, expiresAtMs }: StoredJoinToken): void {
    this.#database
      .prepare(
        'INSERT INTO join_tokens (id, kind, secret_hash, created_at_ms, expires_at_ms) VALUES (?, ?, ?, ?, ?)',
      )
      .run(id, kind, secretHash, createdAtMs, expiresAtMs);
  }

  /** Whether there was one. */
  remove(id: string): boolean {
    return this.#database.prepare('DELETE FROM join_tokens WHERE id = ?').run(id).changes > 0;
  }

  removeExpired(nowMs: number): void {
    this.#database.prepare('DELETE FROM join_tokens WHERE expires_at_ms < ?').run(nowMs);
  }
}

function fromRow(row: Readonly<Record<string, unknown>>): StoredJoinToken {
  return {
    id: String(row.id),
    kind: JoinKind.parse(row.kind),
    secretHash: String(row.secret_hash),
    createdAtMs: Number(row.created_at_ms),
    expiresAtMs: Number(row.expires_at_ms),
  };
}
