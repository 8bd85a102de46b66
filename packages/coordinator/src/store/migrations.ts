/** The inventory's schema, version by version (PRAGMA user_version). A version that was released is never edited. */
export const migrations: readonly string[] = [
  `
  CREATE TABLE meta (key TEXT PRIMARY KEY, value INTEGER NOT NULL) STRICT;
  INSERT INTO meta VALUES ('incarnation', 0);

  CREATE TABLE vms (
    id TEXT PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    spec TEXT NOT NULL
  ) STRICT;

  CREATE TABLE deleted_vms (id TEXT PRIMARY KEY, name TEXT NOT NULL) STRICT;

  CREATE TABLE desired (
    vm TEXT PRIMARY KEY REFERENCES vms (id) ON DELETE CASCADE,
    host TEXT,
    epoch INTEGER NOT NULL,
    halt TEXT,
    waiting_reason TEXT
  ) STRICT;

  CREATE TABLE operations (
    id TEXT PRIMARY KEY,
    vm TEXT NOT NULL,
    is_active INTEGER NOT NULL,
    created_at_ms REAL NOT NULL,
    record TEXT NOT NULL
  ) STRICT;
  CREATE UNIQUE INDEX one_operation_per_vm ON operations (vm) WHERE is_active = 1;
  CREATE INDEX operations_by_age ON operations (created_at_ms);

  CREATE TABLE events (
    sequence INTEGER PRIMARY KEY AUTOINCREMENT,
    at_ms REAL NOT NULL,
    type TEXT NOT NULL,
    subject TEXT NOT NULL,
    message TEXT NOT NULL,
    details TEXT NOT NULL
  ) STRICT;

  CREATE TABLE hosts (name TEXT PRIMARY KEY, identity TEXT NOT NULL) STRICT;

  CREATE TABLE idempotency (
    key TEXT PRIMARY KEY,
    request_hash TEXT NOT NULL,
    status INTEGER NOT NULL,
    body TEXT NOT NULL,
    created_at_ms REAL NOT NULL
  ) STRICT;
  CREATE INDEX idempotency_by_age ON idempotency (created_at_ms);
  `,
  `
  CREATE TABLE join_tokens (
    id TEXT PRIMARY KEY,
    kind TEXT NOT NULL,
    secret_hash TEXT NOT NULL,
    created_at_ms REAL NOT NULL,
    expires_at_ms REAL NOT NULL
  ) STRICT;
  `,
  // A host listens for its peers on more than one network.
  `
  UPDATE hosts SET identity = json_remove(
    json_set(identity, '$.peerPorts', CASE
      WHEN json_extract(identity, '$.peerPort') IS NULL THEN json('{}')
      ELSE json_object('guest-a', json_extract(identity, '$.peerPort'))
    END),
    '$.peerPort'
  );
  `,
  // The limits of a migration became settings.
  `
  UPDATE operations SET record = json_remove(
    json_set(record, '$.settings', CASE
      WHEN json_extract(record, '$.downtimeBudgetMs') IS NULL THEN json('null')
      ELSE json_object(
        'downtimeBudgetMs', json_extract(record, '$.downtimeBudgetMs'),
        'deadlineMs', json_extract(record, '$.deadlineMs')
      )
    END),
    '$.downtimeBudgetMs', '$.deadlineMs'
  );
  `,
  `
  ALTER TABLE hosts ADD COLUMN is_in_maintenance INTEGER NOT NULL DEFAULT 0;
  `,
];
